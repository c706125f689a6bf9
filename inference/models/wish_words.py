"""What can be told of a wish without a model: its parts, its language, its degree, its negations.

Sentence vectors hardly tell "glasses" from "no glasses"; in Turkish a negation is two letters
inside a word (gülsün, gülmesin), and a misspelt word is another word. These rules take such things
out of a wish before it is encoded, and keep note of them.

All functions want text that has been through `lower`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

Language = Literal["en", "tr"]

_FOLD = str.maketrans("çğıöşüâîû", "cgiosuaiu")
_HARMONY = dict(zip("aıeiouöü", "ııiiuuüü", strict=True))  # the close vowel that follows a vowel
_LETTERS = "abcçdefgğhıijklmnoöpqrsştuüvwxyz"
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def lower(text: str) -> str:
    """Small letters, one kind of apostrophe; as many characters as before.

    I becomes i in every word: which of ı and i is meant, `Vocabulary.restored` says.
    """
    return text.replace("İ", "i").replace("’", "'").lower()


def fold(word: str) -> str:
    """A word as typed without Turkish letters: saçını → sacini."""
    return word.translate(_FOLD)


def words_of(text: str) -> list[str]:
    """The words and numbers of a text."""
    return [match[0] for match in _WORD.finditer(text)]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _close_vowel(stem: str) -> str:
    """The vowel that a suffix such as -sin takes after the stem: ı, i, u or ü."""
    return next((_HARMONY[letter] for letter in reversed(stem) if letter in _HARMONY), "i")


# Words --------------------------------------------------------------------------------------------


class Vocabulary:
    """The words of the anchors; what is typed is mended towards them.

    `knows` tells whether the encoder has a word as a whole; such a word is not misspelt.
    """

    def __init__(
        self, english: Iterable[str], turkish: Iterable[str], knows: Callable[[str], bool]
    ) -> None:
        self.english = frozenset(word for text in english for word in words_of(text)) | _ENGLISH
        self.turkish = frozenset(word for text in turkish for word in words_of(text)) | _TURKISH
        self._folded = {fold(word): word for word in sorted(self.turkish, reverse=True)}
        self._roots: dict[str, str] = {}
        for plain, right in reversed(self._folded.items()):
            for end in range(4, len(plain) + 1):
                if self._roots.get(plain[:end]) != plain[:end]:  # of two, the one without dots
                    self._roots[plain[:end]] = right[:end]
            if right.endswith("k"):  # before a vowel it softens: gözlük, gözlüğü
                self._roots[plain[:-1] + "g"] = right[:-1] + "ğ"
        self._knows = knows

    def language(self, words: Iterable[str]) -> Language:
        """The language of words typed together. Where nothing tells, English."""
        turkish = english = 0
        for word in words:
            plain = fold(word)
            is_turkish = plain != word or plain in self._folded or len(self._root(plain)) >= 5
            is_english = word in self.english
            turkish += is_turkish and not is_english
            english += is_english and not is_turkish
        return "tr" if turkish > english else "en"

    def restored(self, word: str, language: Language) -> str:
        """The word with the Turkish letters that it was typed without, and one slip mended."""
        if language == "en":
            return self._mended(word, self.english, _slips(word))
        if word in self.turkish:
            return word
        plain = fold(word)
        root = self._root(plain)
        if plain not in self._folded:
            # With a known root, what looks like a slip may be another ending: gözlerine, gözlerini.
            slips = _repeats_and_swaps(plain) if root else _slips(plain)
            plain = self._mended(plain, self._folded, slips)
        if plain in self._folded:
            return self._folded[plain]
        if fold(word) != word:
            return word  # whoever has typed one Turkish letter has typed them all
        return root + _harmonised(root, word[len(root) :])

    def _root(self, plain: str) -> str:
        """The beginning that the word shares with a Turkish word of the vocabulary, as that has it.

        Four letters at least and more than half of the word, or a whole word; else nothing.
        """
        for end in range(len(plain) - 1, max(3, len(plain) // 2), -1):
            if right := self._roots.get(plain[:end]):
                return right
        for end in range(len(plain) - 2, 2, -1):
            if right := self._folded.get(plain[:end]):
                return right
        return ""

    def _mended(self, word: str, known: Collection[str], slips: Iterable[str]) -> str:
        if not 5 <= len(word) <= 20 or word in known or self._knows(word):
            return word
        meant = {slip for slip in slips if slip in known}
        return meant.pop() if len(meant) == 1 else word


def _harmonised(root: str, suffix: str) -> str:
    """The suffix with the vowels that follow from those before: (saç, lari) → ları."""
    done = root
    for letter in suffix:
        close = (
            _close_vowel(done) if letter in "iu" and done.strip("bcçdfgğhjklmnpqrsştvwxyz") else ""
        )
        done += close if fold(close) == letter else letter
    return re.sub("(?<=m[ıiuü])s$|(?<=l[ae])s(?=t[ıi]r)", "ş", done[len(root) :])


def _slips(word: str) -> Iterator[str]:
    """What may have been meant: a letter too few, one too many, two swapped; one wrong if long."""
    halves = [(word[:cut], word[cut:]) for cut in range(1, len(word) + 1)]
    for head, tail in halves:
        yield from (head + letter + tail for letter in _LETTERS)
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        if tail and len(word) > 6:
            yield from (head + letter + tail[1:] for letter in _LETTERS)


def _repeats_and_swaps(word: str) -> Iterator[str]:
    """What may have been meant where a letter came twice, or two changed places."""
    for place in range(1, len(word)):
        if word[place - 1] == word[place]:
            yield word[:place] + word[place + 1 :]
        yield word[: place - 1] + word[place] + word[place - 1] + word[place + 1 :]


#: words that tell the language, besides those of the anchors
_ENGLISH = _set(
    "the a an him her his he she it its they them their me my i you your this that please pls and"
    " or with without no not don't dont make put give let look looks have has should can be is are"
    " in on of to for from at so very much little bit more less too but"
)
_TURKISH = _set(
    "bir biraz birazcık çok daha az ve hem de da bu şu o onu ona onun lütfen gibi hali olsun yap"
    " ekle değil yok kadar iyice hafif hafifçe aşırı istiyorum olabilir mi mı görünsün versin ver"
    " için ile ama veya merhaba abartmadan"
)

#: words that say no more than that something is wished; anchors are encoded without them, too
_EN_FILLERS = _set(
    "please pls plz can could would you i we want wanna to see make makes let lets let's give"
    " should be is are am it its it's him her his hers she he them they their this that these the"
    " a an person with and some just put on add have has having get me my into as if"
)
_TR_FILLERS = _set(
    "lütfen bi bir bana onu onun ona bunu şunu bu şu hadi haydi acaba artık mı mi mu mü mısın misin"
    " musun müsün mısınız misiniz istiyorum isterim lazım sadece kişi kişiyi kişinin fotoğraftaki"
    " resimdeki gibi hali halini haliyle haline nasıl nasıldı yap yapalım yapsana yapar olsun olsa"
    " olsaydı olacak olur olurdu görünsün gözüksün görünse dursun dönüştür çevir getir şöyle"
)

#: words that mean nothing by themselves within a wish: "dark lipstick" is not about hair or skin
DEPENDENT = _set(
    "black white dark light lighter darker pale brown fair red up down right left open closed long"
    " short grow trim years siyah beyaz koyu açık kara kırmızı renk rengi yukarı aşağı uzun kısa"
    " yeni"
)
PREPOSITIONS = _set("in of on at to from for like than under over")


# Parts --------------------------------------------------------------------------------------------

_MARKS = ",;.!?\n/&+()"
_SPLIT = re.compile(
    rf"[{_MARKS}]+|\b(?:and(?! white\b)|but|then|also|plus|yet|while|or"
    r"|ve|ama|fakat|ayrıca|ayrica|(?<!y[ıi]l )(?<!sene )sonra|hem de|hem da|hem|veya|ya da)\b"
    r"|(?P<with>(?<=\w)\s+(?=(?:with|without)\b))"
)


class Part(NamedTuple):
    """One wish among several: its words, and where they stand in the text.

    `joint`: the word that joins it to the part before, "" if that was a mark. "with" stands for
    "without", too: such a part says more of the one before ("a man | with a beard").
    """

    words: tuple[str, ...]
    start: int
    end: int
    joint: str


def parts(text: str) -> list[Part]:
    """The wishes that stand side by side in a text, in order; none without a word."""
    found = []
    start, joint = 0, ""
    for split in [*_SPLIT.finditer(text), None]:
        end = split.start() if split else len(text)
        if spans := [match.span() for match in _WORD.finditer(text, start, end)]:
            words = tuple(text[left:right] for left, right in spans)
            found.append(Part(words, spans[0][0], spans[-1][1], joint))
        if split:
            start, joint = split.end(), "with" if split["with"] else split[0].strip(_MARKS)
    return found


#: what wishes are about; a part that names nothing of it is about what its neighbours name
_TOPICS = {
    "en": re.compile(
        r"hairs?|beard|eyes?|eyebrows|mouth|lips|teeth|head|face|nose|chin|cheeks|ears|neck|skin"
        r"|complexion|glasses|makeup|smile"
    ),
    "tr": re.compile(
        r"(?:saç|sakal|göz|kaş|ağız|ağz|duda[kğ]|diş|başı|kafa|yüz|burun|burn|çene|yana[kğ]|kula[kğ]"
        r"|boyn|ten[ig]|tenl|cil[dt]|deri|makyaj).*"
    ),
}
_DETERMINERS = _set("the his her its their any onun")
_BEFORE_NOUNS = _set("no without")


class Completed(NamedTuple):
    """A part's words with those it borrows. `noun`: that is the noun; else all but the noun."""

    words: tuple[str, ...]
    noun: bool


def completed(parts: Sequence[Part], language: Language) -> list[Completed | None]:
    """What each part says with words of its neighbours, where it seems to save repeating them.

    - "longer | and darker hair": the noun is lent, by the nearest part that has one;
    - "close his eyes | and mouth", "gözlerini | ve ağzını kapat": the rest is lent, in English by
      the part before, in Turkish, where verbs stand last, by the part after.
    """
    full: list[Completed | None] = [None] * len(parts)
    # The lender comes first: what it has borrowed, it lends.
    for index in range(len(parts)) if language == "en" else reversed(range(len(parts))):
        lender = index - 1 if language == "en" else index + 1
        rest = (full[lender] or parts[lender]).words if 0 <= lender < len(parts) else ()
        full[index] = _completed(parts, index, rest, language)
    return full


def _completed(
    parts: Sequence[Part], index: int, rest: Sequence[str], language: Language
) -> Completed | None:
    """One part's words with those it borrows; `rest`: of the part that may lend all but a noun."""
    topic = _TOPICS[language].fullmatch
    own = parts[index].words
    nouns = [word for word in own if topic(word)]
    if not nouns:
        for other in (*reversed(parts[:index]), *parts[index + 1 :]):
            if lent := [word for word in other.words if topic(word)]:
                in_front = language == "tr" and other.start < parts[index].start
                return Completed((lent[0], *own) if in_front else (*own, lent[-1]), noun=True)
        return None
    if len(nouns) > 1 or any(word not in _DETERMINERS for word in own if not topic(word)):
        return None
    places = [place for place, word in enumerate(rest) if topic(word)]
    if len(places) != 1 or len(rest) == 1:
        return None
    if rest[0] in _BEFORE_NOUNS and parts[index].joint != "or":
        return None  # "no glasses, beard" are two wishes; "no glasses or beard" is one
    return Completed((*rest[: places[0]], nouns[0], *rest[places[0] + 1 :]), noun=False)


# Degree and negation ------------------------------------------------------------------------------


class Reading(NamedTuple):
    """`text`: what is left to be encoded. `negated`: whether the opposite of it is wished.

    `taken`: it is what is taken away, without the verb, "(take) the glasses (off)", or lacking; to
    be believed only of something that a face can do without. `turned`: it is what something is
    turned into, and says more than the whole if it says anything: "(turn the smile into) a frown".
    """

    text: str
    negated: bool
    taken: bool = False
    turned: bool = False


class Phrase(NamedTuple):
    """One wish. `readings`: which is right, comparing them with the anchors tells.

    `degree`: 1 a little, 2 plain, 3 very. A phrase of nothing but a degree has no readings.
    """

    degree: int
    readings: tuple[Reading, ...]


#: ages in numbers, which sentence vectors hardly tell apart
_AGE = {
    "en": re.compile(
        r"\b(?:(?:at|aged?|be|is|age of) (\d{1,3})|(?:an? )?(\d{1,3}) years? old"
        r"|in (?:his|her|their) (\d\d)'?s)\b"
    ),
    "tr": re.compile(r"\b(\d{1,3})(?:'?[a-zçğıöşü]+)? (?:yaşında|yaşlarında|yaşlık)\w*(?: bir)?\b"),
}
#: "take ten years off", "get rid of a decade"
_EN_YEARS_OFF = re.compile(
    r"\b(?:take|takes|get rid of|remove|lose|drop|shave|subtract)\b[\w ]*\b(?:years?|decades?)\b.*"
    r"|\b[\w-]+ (?:years?|decades?) (?:off|away)\b"
)
_OLD_OR_YOUNG = {"en": ("old", "young"), "tr": ("yaşlı", "genç")}
_OLD = 40  # years


def phrase(words: Sequence[str], language: Language, vocabulary: Vocabulary) -> Phrase:
    """Degree and negation of a wish of restored words."""
    old, young = _OLD_OR_YOUNG[language]
    text = _AGE[language].sub(
        lambda age: old if int(next(filter(None, age.groups()))) >= _OLD else young,
        " ".join(words),
    )
    return _english(text) if language == "en" else _turkish(text.split(), vocabulary)


def _phrase(degree: int, readings: Iterable[Reading]) -> Phrase:
    return Phrase(degree, tuple(reading for reading in readings if reading.text))


def _content(text: str, fillers: Collection[str]) -> str:
    """The words without fillers; all of them if there are no others."""
    words = text.split()
    return " ".join([word for word in words if word not in fillers] or words)


def _joined(text: str) -> str:
    return " ".join(text.split())


_EN_LITTLE = re.compile(
    r"\b(?:a (?:little|tiny) bit|a little(?! (?:kid|boy|girl|child))|(?:just )?a bit(?: of)?"
    r"|a touch(?: of)?|a tad|slightly|somewhat|subtly|barely|kind of|kinda"
    r"|(?:just )?not too(?: much)?|(?:just )?not (?:so|that) much)\b"
)
_EN_VERY = re.compile(
    r"\b(?:very(?: much)?|a lot(?: of)?|lots of|(?:so |as )?much|really|extremely|super|totally"
    r"|completely|way|far|incredibly|absolutely)\b"
)
_EN_BIG = re.compile(r"\b(?:big|huge|wide|heavy|extra|jet)\b")
_EN_NOT = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|should|must|can|could|would|will|has|have)(?:n't|nt| not)"
    r"|cannot|no longer|no more|not|never|no|without|minus|less|fewer|stop|quit|removed?|deleted?"
    r"|erased?|hide|ditch|discard|eliminate|lost|lose(?! (?:his |her )?(?:temper|cool|mind|weight))"
    r"|reduce|get(?:ting)? rid of|free of|(?:take|took|taken|wipe|wiped) (?:off|away)"
    r"|gone$|vanish|disappear|go away)(?!\w)"
    r"(?: (?:so|that|any|such|all)\b)?"
)
_EN_LACKS = re.compile(r"\bnot (\w+ )?enough\b")
_EN_TOO = re.compile(r"\btoo (?:much |many )?(?=\w)")
_EN_INTO = re.compile(
    r"\b(?:turn|change|transform|convert|make|switch|go|swap)\b.* (?:into|to|for) (?P<into>.+)"
)
_EN_OFF = re.compile(
    r"\b(?:take|wipe|wash|scrub|clean|rub|pull|rip|peel|throw|get|have)\b"
    r"(?: (?P<before>\w.*) (?:off|away)\b| (?:off|away) (?P<after>\w.*))"
)


def _english(text: str) -> Phrase:
    text = _EN_YEARS_OFF.sub("younger", text.replace("make up", "makeup"))
    text, little = _EN_LITTLE.subn("", _EN_LACKS.sub(r"\1", text))
    text, nots = _EN_NOT.subn("", text)
    text, complaints = _EN_TOO.subn("", text)  # "too old": younger is wished
    text, very = _EN_VERY.subn("", text)
    degree = 1 if little else 3 if very or _EN_BIG.search(text) else 2
    negated = (nots + complaints) % 2 == 1
    readings = [Reading(text, negated)]
    if turned := _EN_INTO.search(text):
        readings.insert(0, Reading(turned["into"], negated, turned=True))
    if taken := _EN_OFF.search(text):  # "take ten years off" is no negation: both are tried
        thing = taken["before"] or taken["after"]
        readings.append(Reading(thing, not negated, taken=True))
    return _phrase(
        degree, [each._replace(text=_content(each.text, _EN_FILLERS)) for each in readings]
    )


_TR_LITTLE = re.compile(
    r"\b(?:(?:çok|fazla) değil|abartmadan|birazcık|biraz|azıcık|az|hafifçe|hafiften|hafif|bir parça"
    r"|bir tık|bi tık|bir nebze)\b"
)
_TR_VERY = re.compile(
    r"\b(?:çok|fazla|iyice|aşırı|epeyce|epey|bayağı|oldukça|tamamen|son derece|ekstra|bolca|bol)\b"
)
#: words that hold their "very" themselves
_TR_INTENSE = {
    "simsiyah": "siyah",
    "kapkara": "kara",
    "kıpkızıl": "kızıl",
    "kıpkırmızı": "kırmızı",
    "sapsarı": "sarı",
    "bembeyaz": "beyaz",
    "apak": "ak",
    "upuzun": "uzun",
    "kısacık": "kısa",
    "gencecik": "genç",
    "kocaman": "",
    "koca": "",
}
_TR_MORE = re.compile(r"\bdaha (?:çok|fazla)\b")
_TR_LESS = re.compile(r"\bdaha az\b")
_TR_NOT = re.compile(r"\b(?:değil|yok|istemiyorum|istemem|olmadan)\b")
#: verbs that take away, if what they take is something that a face can do without
_TR_AWAY = re.compile(
    r"(?:\b(?:kald[ıi]r|sil|çıkar|temizle|gider|kes|azalt|yok e[td])\w*|\b(?:yok olsun|kaybolsun"
    r"|gitsin|kalksın)|(?<=[ıiuü] )(?:at|atsın|atılsın)|(?<=[dt][ae]n )(?:kurt[au]r|kurtul)\w*)$"
)
_TR_ASKING = _set("mı mi mu mü mısın misin musun müsün mısınız misiniz")
_TR_POLITE = re.compile(
    r"(?P<stem>.{2,}?)(?:y?[ae]l[ıi]m|s[ae]n[ae]|[ıiuü]ver(?:s[ıi]n)?|y?[ıiuü]n[ıiuü]z|yken|ken)"
)
_TR_WOULD = re.compile(r"(?P<stem>.{2,}?)(?:[aeıiuü]?r|[ae]bil[ıi]r)")
_TR_TOLD = re.compile(
    r"(?P<stem>.{2,}?)(?:m[ıiuü]ş|s[ae]|[ıiuü]yor|[ıiuü][ln]s[ıiuü]n|(?<=[aeıiuüoö])ns[ıiuü]n)"
)
_NEGATIVE = re.compile(
    r"(?P<stem>.*[aeıioöuü].*?)m(?:[ae]s[ıi]n(?:l[ae]r)?|[ae]y[ıi]n|[ae]z|[ıiuü]yor|[ae]d[ae]n"
    r"|[ae]m[ıi]ş|[ae]y[ae]n)"
)
_NO_NEGATIVES = _set("abartmadan inanılmaz")
_LACKING = re.compile(r"(?P<stem>.{3,})s(?P<vowel>[ıiuü])z")


def _turkish(words: Sequence[str], vocabulary: Vocabulary) -> Phrase:
    if "değil" in words[1:-1]:  # "kadın değil erkek olsun": what comes after is wished
        words = words[words.index("değil") + 1 :]
    asked = any(word in _TR_ASKING for word in words)
    affirmed = [_affirmed(word, vocabulary) for word in words]
    nots = sum(word != was for word, was in zip(affirmed, words, strict=True))
    nots += "eksik" in words  # "eksik olmasın": let it not be missing
    intense = [_TR_INTENSE.get(word) for word in affirmed]
    text = " ".join(
        word if plain is None else plain for word, plain in zip(affirmed, intense, strict=True)
    )
    text = _content(text, _TR_FILLERS)
    if not _TR_AWAY.search(text):  # in "yok et", yok is part of the verb
        text, more = _TR_NOT.subn("", text)
        nots += more
    text, less = _TR_LESS.subn("", text)
    text, little = _TR_LITTLE.subn("", _TR_MORE.sub("daha", text))
    text, very = _TR_VERY.subn("", text)
    degree = 1 if little else 3 if very or any(each is not None for each in intense) else 2
    negated = (nots + less) % 2 == 1
    text = _joined(text)
    readings = [Reading(text, negated)]
    # "başını kaldır" is no negation, nor is "hırsız": with these endings both are tried.
    if away := _TR_AWAY.search(text):
        readings.append(Reading(text[: away.start()].strip(), not negated, taken=True))
    having = " ".join(_having(word) for word in text.split())
    if having != text:
        readings.append(Reading(having, not negated, taken=True))
    plainer = " ".join(
        word if word in vocabulary.turkish else _plainer(word, asked) for word in text.split()
    )
    if plainer != text:
        readings.append(Reading(plainer, negated))
    return _phrase(degree, readings)


def _affirmed(word: str, vocabulary: Vocabulary) -> str:
    """A negated verb without its negation (gülmesin → gülsün); any other word as it is."""
    if word in _NO_NEGATIVES:
        return word
    if found := _NEGATIVE.fullmatch(word):
        return f"{found['stem']}s{_close_vowel(found['stem'])}n"
    if word not in vocabulary.turkish and word.endswith(("ma", "me")):
        return word[:-2] if word[:-2] in vocabulary.turkish else word
    return word


def _plainer(word: str, asked: bool) -> str:
    """A verb without what makes it polite or roundabout: takalım, taksana, takıver → tak.

    What is told as done or happening is wished: uzamış, uzasa → uzasın. `asked`: as a question, in
    which takar is short for "would you". Words that are no verbs may be maimed; so both are tried.
    """
    if found := _TR_POLITE.fullmatch(word):
        return found["stem"]
    if asked and (found := _TR_WOULD.fullmatch(word)):
        return found["stem"]
    if found := _TR_TOLD.fullmatch(word):
        return f"{found['stem']}s{_close_vowel(found['stem'])}n"
    return word


def _having(word: str) -> str:
    """A word in -sız, "without", as its opposite in -lı: sakalsız → sakallı; others as they are."""
    found = _LACKING.fullmatch(word)
    return f"{found['stem']}l{found['vowel']}" if found else word
