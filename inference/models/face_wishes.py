"""From a wish in words to attributes of a face.

StyleCLIP (Patashnik et al., "StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery", ICCV 2021,
arXiv:2103.17249) finds, for a sentence, the direction in which a generator's style must move, by
asking CLIP. Where there is no CLIP, the directions are fitted beforehand, one an attribute, and
what is left to do is to tell from the sentence which are meant. That is done here: the sentence is
compared with anchors, some hundred wordings of known meaning (`data/face_wishes.toml`).

The likeness of two wordings is, for the most part, the cosine of their sentence vectors; the rest
is how many beginnings of words they share, rare ones counting for more: a Turkish stem takes so
many endings that the encoder's pieces may miss it. How much each anchor's meaning counts is fitted
by regularised least squares, with the likeness as kernel (Rifkin, Yeo & Poggio, "Regularized
Least-Squares Classification", 2003). To take the meaning of the likest anchor instead is right a
little less often, and takes wishes that mean nothing on offer for something four times as often.
"""

from __future__ import annotations

import math
import time
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.model import BadInput, OneStepModel
from inference.models.sentence_encoder import SentenceEncoder, one_blas_thread
from inference.models.wish_words import (
    DEPENDENT,
    PREPOSITIONS,
    Language,
    Part,
    Reading,
    Vocabulary,
    completed,
    fold,
    lower,
    parts,
    phrase,
    words_of,
)
from inference.tasks.face_wishes import MAX_LENGTH, Wish, Wishes, WishInput

ANCHORS = Path(__file__).parent / "data" / "face_wishes.toml"

SHARE_OF_WORDS = 0.15  # of a likeness, from shared beginnings of words; the rest is the vectors'
RIDGE = 0.05  # of the fit: how little the anchors are believed

#: the trust from which on a meaning is believed, of …
ENOUGH = 0.3  # a part as it stands
LENT = 0.6  # a part with a noun that another lent
LIKELY = 0.65  # a few words within a part that means nothing as a whole
CERTAIN = 0.8  # a few words within a part that means something else
REFUSAL = 0.9  # a few words about skin or origin, in any part
SURE = 0.6  # a part in which a few words certainly mean something else
CAUTION = 0.1  # how much less trust suffices for skin and origin than for the likeliest meaning
LONG = 10  # words; in a part that is longer no meanings are looked for within

#: what a face can do without: where a verb takes it away, nothing else counts
TAKEN = frozenset(("glasses", "beard", "makeup", "smile"))
#: what is named to say whose face it is: "the smiling woman" is to smile, not to be a woman
SUBJECTS = frozenset(("femininity",))

Floats = NDArray[np.floating[Any]]


class Meaning(NamedTuple):
    """`name`: an attribute, REFUSED or OTHER; `sign`: 1, -1, or 0 for the last two."""

    name: str
    sign: int


REFUSED, OTHER = Meaning("refused", 0), Meaning("other", 0)


class Anchors:
    """Wordings of known meaning, and what others mean by them."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        table = tomllib.loads(ANCHORS.read_text(encoding="utf-8"))
        self._encoder = encoder
        listed = list(_listed(table))
        self.vocabulary = Vocabulary(
            (text for text, language, _ in listed if language == "en"),
            (text for text, language, _ in listed if language == "tr"),
            encoder.knows,
        )
        texts = []
        meanings = []
        for text, language, (name, sign) in listed:
            reading = phrase(words_of(text), language, self.vocabulary).readings[0]
            texts.append(reading.text)
            meanings.append(Meaning(name, -sign if reading.negated else sign))
        self.meanings = sorted(set(meanings))
        self._vectors = encoder(texts)  # (anchors, 512)
        self._words = SharedWords(texts)
        labels = np.array([self.meanings.index(each) for each in meanings])  # (anchors,)
        targets = np.eye(len(self.meanings))[labels]  # (anchors, meanings)
        self._usual = targets.mean(0)
        kernel = self._kernel(self._vectors, texts)  # (anchors, anchors)
        self._weights = np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), targets - self._usual)

    def trust(self, texts: Sequence[str]) -> Floats:
        """How far each text may be believed to have each meaning, (texts, meanings).

        About 1 for an anchor and its meaning, about 0 for what has nothing to do with it.
        """
        trust: Floats = self._kernel(self._encoder(texts), texts) @ self._weights + self._usual
        return trust

    def _kernel(self, vectors: Floats, texts: Sequence[str]) -> Floats:
        """Of n texts, and their vectors (n, 512), with all anchors: (n, anchors), 1 where equal."""
        likeness = (1 - SHARE_OF_WORDS) * vectors @ self._vectors.T
        likeness += SHARE_OF_WORDS * self._words.likeness(texts)
        kernel: Floats = np.exp(likeness - 1)
        return kernel


class SharedWords:
    """How many beginnings of words texts share with the anchors, rare ones counting for more.

    The beginnings of all words of a text, three to six letters long, weighted by their rarity, are
    taken as a vector of length 1; likeness is the cosine of two.
    """

    def __init__(self, anchors: Sequence[str]) -> None:
        self._anchors = len(anchors)
        found = [_beginnings(text) for text in anchors]
        self._counts = Counter(beginning for each in found for beginning in each)
        where: dict[str, list[tuple[int, float]]] = {}
        for anchor, beginnings in enumerate(found):
            for beginning, weight in self._weights(beginnings).items():
                where.setdefault(beginning, []).append((anchor, weight))
        self._where = {  # beginning: the anchors that have it, and its weights in their vectors
            beginning: (np.array([anchor for anchor, _ in each]), np.array([w for _, w in each]))
            for beginning, each in where.items()
        }

    def likeness(self, texts: Sequence[str]) -> Floats:
        """(texts, anchors), from 0 to 1."""
        result = np.zeros((len(texts), self._anchors), np.float32)
        for row, text in zip(result, texts, strict=True):
            for beginning, weight in self._weights(_beginnings(text)).items():
                if beginning in self._where:
                    anchors, weights = self._where[beginning]
                    row[anchors] += weight * weights
        return result

    def _weights(self, beginnings: Collection[str]) -> dict[str, float]:
        rarity = {
            each: math.log((self._anchors + 1) / (self._counts[each] + 0.5)) for each in beginnings
        }
        length = math.hypot(*rarity.values()) or 1
        return {each: weight / length for each, weight in rarity.items()}


def _listed(table: Mapping[str, Any]) -> Iterator[tuple[str, Language, Meaning]]:
    """All anchors of the file: text, language, meaning."""
    by_meaning = {REFUSED: table["refused"], OTHER: table["other"]}
    for name, ways in table["attributes"].items():
        by_meaning[Meaning(name, 1)] = ways.get("more", {})
        by_meaning[Meaning(name, -1)] = ways.get("less", {})
    languages: tuple[Language, ...] = ("en", "tr")
    for meaning, texts in by_meaning.items():
        for language in languages:
            for text in texts.get(language, ()):
                yield lower(text), language, meaning


def _beginnings(text: str) -> set[str]:
    """The beginnings of all words, three to six letters long; shorter words as they are."""
    found = set()
    for word in text.split():
        plain = fold(word)
        found |= {plain[:length] for length in range(3, min(len(plain), 6) + 1)} or {plain}
    return found


class Candidate(NamedTuple):
    """Something that a part of a text may say. It is believed from a trust of `bar` on.

    `lent`: with words of its neighbour. `inner`: only some of the part's words say it; it may say
    something else besides.
    """

    part: int
    reading: Reading
    degree: int
    bar: float
    lent: bool = False
    inner: bool = False


class Sentence:
    """A text in parts, and all that each may say."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = unicodedata.normalize("NFC", text)
        typed = parts(lower(self.text))
        language = vocabulary.language([word for part in typed for word in part.words])
        meant = [
            part._replace(words=tuple(vocabulary.restored(word, language) for word in part.words))
            for part in typed
        ]
        self.parts: list[Part] = []
        self.candidates: list[Candidate] = []
        for part, full in zip(meant, completed(meant, language), strict=True):
            degree, readings = phrase(part.words, language, vocabulary)
            if self.parts and not readings:  # "older, but not too much": it is about the one before
                self.candidates = [
                    each._replace(degree=degree) if each.part == len(self.parts) - 1 else each
                    for each in self.candidates
                ]
                continue
            index = len(self.parts)
            self.parts.append(part)
            self.candidates += [Candidate(index, each, degree, ENOUGH) for each in readings]
            if readings and not any(each.negated or each.taken for each in readings):
                self.candidates += [
                    Candidate(index, Reading(some, False), degree, LIKELY, inner=True)
                    for some in _inner(readings[0].text)
                ]
            if full:
                degree, readings = phrase(full.words, language, vocabulary)
                bar = LENT if full.noun else ENOUGH
                self.candidates += [
                    Candidate(index, each, degree, bar, lent=True) for each in readings
                ]

    def said(self) -> list[list[Candidate]]:
        """The candidates of each part."""
        return [
            [each for each in self.candidates if each.part == index]
            for index in range(len(self.parts))
        ]


def _inner(text: str) -> Iterator[str]:
    """Fewer words of a phrase: any two, and one or three side by side."""
    words = text.split()
    if not 2 <= len(words) <= LONG:
        return
    everywhere = range(len(words))
    runs = [tuple(range(start, start + 3)) for start in range(len(words) - 2)]
    for places in [*combinations(everywhere, 1), *combinations(everywhere, 2), *runs]:
        between = words[places[0] : places[-1]]
        if len(places) < len(words) and not PREPOSITIONS.intersection(between):
            yield " ".join(words[place] for place in places)


class Meant(NamedTuple):
    """A meaning found in a part; `degree`: 1…3."""

    meaning: Meaning
    degree: int
    trust: float


class FaceWishes(OneStepModel):
    """Reads wishes in batches. It runs on the CPU wherever the other models are."""

    def load(self, device: str) -> None:
        with one_blas_thread():
            self._anchors = Anchors(SentenceEncoder())
        self._refused = np.array([meaning == REFUSED for meaning in self._anchors.meanings])

    def predict(self, inputs: Sequence[WishInput]) -> Sequence[Wishes | BadInput]:
        """What is wished in each input; one longer than MAX_LENGTH fails alone ("too-long")."""
        with one_blas_thread():
            return self._read(inputs)

    def _read(self, inputs: Sequence[WishInput]) -> Sequence[Wishes | BadInput]:
        began = time.perf_counter()
        sentences = [
            Sentence(asked.text[:MAX_LENGTH], self._anchors.vocabulary) for asked in inputs
        ]
        texts = list({said.reading.text: None for each in sentences for said in each.candidates})
        trust = dict(zip(texts, self._anchors.trust(texts), strict=True))
        found = [[self._meant(said, trust) for said in each.said()] for each in sentences]
        seconds = time.perf_counter() - began
        return [
            BadInput("too-long", f"{len(asked.text)} characters")
            if len(asked.text) > MAX_LENGTH
            else _answer(sentence, meant, asked.offered, seconds)
            for asked, sentence, meant in zip(inputs, sentences, found, strict=True)
        ]

    def _meant(self, said: Sequence[Candidate], trust: Mapping[str, Floats]) -> list[Meant]:
        """What a part means, of all that it may say; none where nothing is believed.

        OTHER or REFUSED stand alone. `trust`: of each candidate's text in each meaning.
        """
        telling: list[Meant] = []
        lent: list[Meant] = []
        own: list[Meant] = []
        inner: dict[str, Meant] = {}
        for each in sorted(said, key=lambda one: -trust[one.reading.text].max()):
            text, negated, is_taken, is_turned = each.reading
            cautious = trust[text] + CAUTION * self._refused
            column = int(cautious.argmax())
            name, sign = self._anchors.meanings[column]
            if is_taken and name in TAKEN:
                sign = 1  # whoever names a thing to take it off may name it in any case
            meaning = Meaning(name, -sign if negated else sign)
            meant = Meant(meaning, each.degree, float(trust[text][column]))
            if meant.trust < (REFUSAL if each.inner and meaning == REFUSED else each.bar):
                continue
            dependent = DEPENDENT.issuperset(text.split())
            if each.inner:
                if meaning != OTHER and name not in SUBJECTS and not dependent:
                    inner.setdefault(name, meant)
            elif is_taken or is_turned:
                if name in TAKEN if is_taken else meant.trust >= CERTAIN and not dependent:
                    telling.append(meant)
            else:
                (lent if each.lent else own).append(meant)
        whole = _first(telling, lent, own)
        if whole is None:
            return list(inner.values())
        if whole.meaning in (OTHER, REFUSED):
            return [whole]
        inner = {name: meant for name, meant in inner.items() if meant.trust >= CERTAIN}
        if REFUSED.name in inner:
            return [inner[REFUSED.name]]
        if not inner or whole.trust >= SURE:
            inner[whole.meaning.name] = whole
        return list(inner.values())


def _first(telling: Sequence[Meant], lent: Sequence[Meant], own: Sequence[Meant]) -> Meant | None:
    """Which of what a part may mean as a whole it does mean; each list has the likeliest first.

    `telling`: of some of its words, which settle it.
    """
    if telling:
        return telling[0]
    if lent and (not own or own[0].meaning in (OTHER, REFUSED) or lent[0].trust >= own[0].trust):
        return lent[0]
    return own[0] if own else None


def _answer(
    sentence: Sentence, found: Sequence[Sequence[Meant]], offered: Collection[str], seconds: float
) -> Wishes:
    """The answer for one text; `found`: what each of its parts means."""
    wishes: dict[str, Wish] = {}
    unknown: list[str] = []
    refused: list[str] = []
    for index, (part, meant) in enumerate(zip(sentence.parts, found, strict=True)):
        typed = sentence.text[part.start : part.end]
        if any(each.meaning == REFUSED for each in meant):
            refused.append(typed)
            continue
        leads_up = index + 1 < len(found) and sentence.parts[index + 1].joint == "with"
        if any(each.meaning.name not in offered for each in meant) or not (
            meant or (leads_up and found[index + 1])
        ):
            unknown.append(typed)
        for (name, sign), degree, _ in meant:
            before = wishes.get(name)
            if name in offered and (before is None or sign * before.strength < degree):
                wishes[name] = Wish(name, sign * degree, typed)
    return Wishes(tuple(wishes.values()), tuple(unknown), tuple(refused), seconds)
