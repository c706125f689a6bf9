### /person: a face that does not exist, from StyleGAN.

person = person
    .description = Makes up a face: this person does not exist
    .seed = seed
    .seed-description = Which face; the same seed gives the same one. Left out: a new one
    .faces = faces
    .faces-description = How many at once, 1 to 4
    .truncation = variety
    .truncation-description = From 0, the average face, to 1, anything goes; 0.7 if you leave it out

person-painting = Painting, from coarse to fine: { $percent } %
person-said = { $faces ->
    [one] This person does not exist. A network has made up every pixel, from { NUMBER(512) } random numbers.
   *[other] These people do not exist. A network has made up every pixel, from { NUMBER(512) } random numbers for each.
}
person-settings = { $faces ->
    [one] Seed { $seed }, variety { NUMBER($truncation, maximumFractionDigits: 2) }.
   *[other] Seeds from { $seed } on, as written on the faces; variety { NUMBER($truncation, maximumFractionDigits: 2) }.
}
person-alt = { $faces ->
    [one] A photo-like portrait of a person who does not exist.
   *[other] { $faces } photo-like portraits of people who do not exist, side by side.
}

person-ordinary = More ordinary
person-odd = Odder
person-four = Four of them
person-animate = Bring it to life

person-how = Two networks were trained against each other: a generator that paints faces and a discriminator that tells them from photos (GAN, Goodfellow 2014). In StyleGAN a first small network turns random numbers into a style, and the style then steers every layer of the painting, from the pose down to the strands of hair. “Variety” pulls the style towards the average face: less variety, fewer flaws. It learnt from 70,000 photos on Flickr, so it paints most often whoever is most often there: people who look European, who smile, and who are neither very young nor very old. And such pictures are used for fake profiles: the mark in the corner stays on for that reason. Look for what does not match: earrings, glasses, the background, teeth in the middle of the mouth.
person-paper = Karras, Laine & Aila (2018), A Style-Based Generator Architecture for GANs
person-paper-url = https://arxiv.org/abs/1812.04948
