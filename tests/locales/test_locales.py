"""The words: both languages complete, every key used and defined, Turkish that reads as Turkish."""

from __future__ import annotations

import ast
import pickle
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from fluent.syntax import FluentParser
from fluent.syntax import ast as ftl
from fluent.syntax.visitor import Visitor

from handlers.animate import MOTIONS
from handlers.kit.registry import STOPS, Command, commands
from handlers.language import OFFERED
from inference.tasks.faces import ATTRIBUTES
from locales import (
    FOLDER,
    LANGUAGES,
    Label,
    Lines,
    Listing,
    Message,
    UnknownMessage,
    Words,
    capitalise,
    fold,
    language_of,
    tr_lower,
    tr_upper,
    words,
)

ROOT = FOLDER.parent

# --- families: keys that code puts together ------------------------------------------------------

#: f-strings that make message keys, `{}` for each placeholder, and all that may stand there. A new
#: f-string inside `Message(…)` fails the tests until it is declared here.
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "ask-{}": ("picture", "value"),
    "error-picture-{}": (
        *("empty", "unknown", "svg", "pdf", "heic", "broken", "too-many-pixels", "too-small"),
    ),
    "error-weights-{}": (
        *("unknown", "unpinned", "no-network", "gone", "wrong-hash", "no-space", "disk"),
        "cancelled",
    ),
    "error-input-{}": ("empty", "too-long"),
    "error-queue-{}": ("all", "user", "chat", "bytes"),
    "queue-room-{}": ("compute", "text"),
    "help-stop-{}": STOPS,
    "help-kind-{}": ("integer", "number", "boolean", "picture"),
    "help-kind-{}-range": ("integer", "number"),
    "language-button-{}": OFFERED,
    "language-language-{}": LANGUAGES,
    "language-set-{}": (
        *OFFERED,
        *(f"{place}-{lang}" for place in ("chat", "server", "channel") for lang in OFFERED),
    ),
    "animate-button-{}": MOTIONS,
    "edit-{}": (
        *("weaker", "stronger"),
        *(f"{attribute}-{sign}" for attribute in ATTRIBUTES for sign in ("more", "less")),
    ),
    "person-{}": ("ordinary", "odd"),
    "xor-picture-{}": ("perceptron", "mlp", "h", "loss"),
    "xor-mlp-{}": ("learned", "one-unit", "plateau", "falling", "stuck"),
    "gan-picture-{}": ("ring", "rings", "digits"),
    "gan-said-{}": (
        *(f"points-{ending}" for ending in ("covered", "gaps", "collapsed")),
        *(f"digits-{ending}" for ending in ("covered", "gaps", "collapsed")),
    ),
    "discord-menu-{}": ("detect",),
    "web-theme-{}": ("system", "light", "dark"),
}

#: families over all commands and their parameters; checked command by command below
COMMAND_FAMILIES = {
    "{}.{}",
    "{}.{}-description",
    "{}.description",
    "{}-{}-{}",
    "{}-how",
    "{}-paper",
    "{}-paper-url",
    "{}-example",
}
#: where a key ends in one of these a command may have it and need not
OPTIONAL = ("-how", "-paper", "-paper-url", "-example")


# --- the files -----------------------------------------------------------------------------------


def files(language: str) -> dict[str, ftl.Resource]:
    parser = FluentParser()
    return {
        path.name: parser.parse(path.read_text(encoding="utf-8"))
        for path in sorted((FOLDER / language).glob("*.ftl"))
    }


@cache
def entries(language: str) -> dict[str, ftl.Pattern]:
    """Every pattern of a language by key; attributes as `message.attribute`."""
    found: dict[str, ftl.Pattern] = {}
    for resource in files(language).values():
        for entry in resource.body:
            if isinstance(entry, ftl.Message):
                if entry.value:
                    found[entry.id.name] = entry.value
                for attribute in entry.attributes:
                    found[f"{entry.id.name}.{attribute.id.name}"] = attribute.value
    return found


class Variables(Visitor):  # type: ignore[misc]
    """The names of all `{ $variables }` below a node."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_VariableReference(self, node: ftl.VariableReference) -> None:  # noqa: N802
        self.found.add(node.id.name)


def variables(pattern: ftl.Pattern) -> set[str]:
    visitor = Variables()
    visitor.visit(pattern)
    return visitor.found


class Patterns(Visitor):  # type: ignore[misc]
    """All patterns below a node, those inside selectors too."""

    def __init__(self) -> None:
        self.found: list[ftl.Pattern] = []

    def visit_Pattern(self, node: ftl.Pattern) -> None:  # noqa: N802
        self.found.append(node)
        self.generic_visit(node)


def glued(pattern: ftl.Pattern) -> Iterator[str]:
    """Where a letter, or an apostrophe and a letter, follows right after a placeable."""
    visitor = Patterns()
    visitor.visit(pattern)
    for one in visitor.found:
        for before, after in zip(one.elements, one.elements[1:], strict=False):
            if (
                isinstance(before, ftl.Placeable)
                and not isinstance(before.expression, ftl.StringLiteral)
                and isinstance(after, ftl.TextElement)
                and re.match(r"['’ʼ`´]?[^\W\d_]", after.value)
            ):
                yield after.value


def test_the_check_for_glued_suffixes_sees_them() -> None:
    def check(text: str) -> bool:
        message = FluentParser().parse_entry(text)
        return any(glued(message.value))

    for wrong in ("a = { $x }de", "a = { $x }'yi seç", "a = { $x }’yi", "a = %{ NUMBER($x) }lik"):
        assert check(wrong), wrong
    assert check("a = { $n ->\n    [one] bir\n   *[other] { $n }lar\n}")
    for right in ("a = { $x } seç", "a = { $x }. sıra", "a = %{ $x } kadar", "a = “{ $x }” adlı"):
        assert not check(right), right


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_file_parses_and_no_key_stands_twice(language: str) -> None:
    keys: Counter[str] = Counter()
    for name, resource in files(language).items():
        junk = [entry.content for entry in resource.body if isinstance(entry, ftl.Junk)]
        assert not junk, f"{language}/{name}"
        keys.update(e.id.name for e in resource.body if isinstance(e, ftl.Message | ftl.Term))
    assert [key for key, count in keys.items() if count > 1] == []
    for key, pattern in entries(language).items():
        assert pattern.elements, key


def test_both_languages_have_the_same_files_with_the_same_keys() -> None:
    turkish, english = files("tr"), files("en")
    assert set(turkish) == set(english)
    for name in turkish:
        ids = [
            [entry.id.name for entry in resource.body if isinstance(entry, ftl.Message)]
            for resource in (turkish[name], english[name])
        ]
        assert set(ids[0]) == set(ids[1]), name
    assert set(entries("tr")) == set(entries("en"))


def test_both_languages_use_the_same_variables() -> None:
    english = entries("en")
    different = {
        key: (sorted(variables(pattern)), sorted(variables(english[key])))
        for key, pattern in entries("tr").items()
        if variables(pattern) != variables(english[key])
    }
    assert different == {}


def test_both_languages_know_the_same_class_names() -> None:
    for path in sorted((FOLDER / "en").glob("*.toml")):
        assert (FOLDER / "tr" / path.name).is_file()
        tables = [words(language)._tables[path.stem] for language in LANGUAGES]
        assert set(tables[0]) == set(tables[1])


def test_no_suffix_is_glued_to_a_variable_in_turkish() -> None:
    found = {key: list(glued(pattern)) for key, pattern in entries("tr").items()}
    assert {key: where for key, where in found.items() if where} == {}


def test_turkish_speaks_to_a_friend() -> None:
    """Second person singular throughout; the polite plural would be another bot's voice."""
    polite = re.compile(r"\b(?:\w+(?:ınız|iniz|unuz|ünüz)|siz|sizin|size)\b")
    texts = {key: _text(pattern) for key, pattern in entries("tr").items()}
    assert {key: m[0] for key, text in texts.items() if (m := polite.search(text))} == {}


def _text(pattern: ftl.Pattern) -> str:
    visitor = Patterns()
    visitor.visit(pattern)
    return " ".join(
        element.value
        for one in visitor.found
        for element in one.elements
        if isinstance(element, ftl.TextElement)
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_are_composed_and_hold_nothing_invisible(language: str) -> None:
    for path in sorted((FOLDER / language).iterdir()):
        if path.suffix in (".ftl", ".toml"):
            text = path.read_text(encoding="utf-8")
            assert unicodedata.is_normalized("NFC", text), path
            hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf")} - {"\n"}
            assert hidden == set(), path


# --- the code ------------------------------------------------------------------------------------


@dataclass
class Code:
    """What the sources say about message keys."""

    strings: set[str]  # all string constants
    keys: set[str]  # constants given to Message, Reply.say, UserError and its kin
    families: set[str]  # f-strings given to them, with {} for each placeholder


@cache
def code() -> Code:
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for folder in ("bot", "handlers", "locales")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    makers = {"Message"} | _kin_of_user_error(trees)
    found = Code(set(), set(), set())
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.strings.add(node.value)
            if isinstance(node, ast.ClassDef) and node.name in makers:
                calls = [call for call in ast.walk(node) if _is_super_init(call)]
                _note(found, calls)  # type: ignore[arg-type]
        _note(found, [c for c in ast.walk(tree) if isinstance(c, ast.Call) and _makes(c, makers)])
    return found


def _kin_of_user_error(trees: list[ast.Module]) -> set[str]:
    kin = {"UserError"}
    classes = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    while more := {c.name for c in classes if any(_name(b) in kin for b in c.bases)} - kin:
        kin |= more
    return kin


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _is_super_init(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "super().__init__"


def _makes(call: ast.Call, makers: set[str]) -> bool:
    return _name(call.func) in makers or ast.unparse(call.func) in ("Reply.say", "cls.say")


def _note(found: Code, calls: list[ast.Call]) -> None:
    for call in calls:
        for node in ast.walk(call.args[0]) if call.args else ():
            if isinstance(node, ast.JoinedStr):
                parts = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
                found.families.add("".join(str(part) for part in parts))
        first = call.args[0] if call.args else None
        # `"a" if x else "b"` uses both; other expressions are left to the strings above.
        options = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
        found.keys |= {
            o.value for o in options if isinstance(o, ast.Constant) and isinstance(o.value, str)
        }


@cache
def page() -> str:
    """The web page's own sources."""
    folder = ROOT / "bot" / "web" / "static"
    return "\n".join(
        path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".js", ".html")
    )


def family_keys() -> set[str]:
    return {
        pattern.replace("{}", value) for pattern, values in FAMILIES.items() for value in values
    }


def command_keys(entry: Command) -> set[str]:
    """The keys that a command must have."""
    keys = {entry.name, f"{entry.name}.description"}
    for parameter in entry.parameters:
        keys |= {f"{entry.name}.{parameter.name}", f"{entry.name}.{parameter.name}-description"}
        keys |= {f"{entry.name}-{parameter.name}-{value}" for value in parameter.choices}
    return keys


def test_every_key_that_code_uses_is_defined() -> None:
    assert len(code().keys) > 50, "the search itself must find something"
    assert sorted(code().keys - set(entries("en"))) == []


def test_every_key_that_code_puts_together_is_declared_and_defined() -> None:
    assert sorted(code().families - set(FAMILIES) - COMMAND_FAMILIES) == []
    assert sorted(family_keys() - set(entries("en"))) == []


def test_every_key_that_the_web_page_uses_is_defined() -> None:
    used = set(re.findall(r"\bweb(?:-[a-z0-9]+)+", page()))
    prefixes = {pattern.partition("-{}")[0] for pattern in FAMILIES if pattern.endswith("-{}")}
    assert used
    assert sorted(used - set(entries("en")) - prefixes) == []


def test_every_key_is_used() -> None:
    used = code().strings | family_keys()
    used |= {key for key in entries("en") if re.search(rf"\b{re.escape(key)}(?![\w-])", page())}
    for entry in commands().values():
        used |= command_keys(entry) | {f"{entry.name}{suffix}" for suffix in OPTIONAL}
    assert sorted(set(entries("en")) - used) == []


@pytest.mark.parametrize(
    ("maker", "family"),
    [
        ("PictureError", "error-picture-{}"),
        ("BadInput", "error-input-{}"),
        ("WeightsError", "error-weights-{}"),
    ],
)
def test_every_reason_that_inference_gives_has_its_words(maker: str, family: str) -> None:
    reasons = {
        call.args[0].value
        for path in sorted((ROOT / "inference").rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and _name(call.func) == maker and call.args
        if isinstance(call.args[0], ast.Constant)
    }
    assert reasons
    assert reasons <= set(FAMILIES[family])


# --- commands ------------------------------------------------------------------------------------

#: Discord's rule: letters, digits, hyphen and underscore of any script, lower case
NAME = re.compile(r"[-\w]{1,32}")
TELEGRAM_NAME = re.compile(r"[a-z0-9_]{1,32}")
ALL = list(commands().values())
ids = [entry.name for entry in ALL]


@pytest.mark.parametrize("entry", ALL, ids=ids)
def test_a_command_has_words_for_all_that_it_declares_and_no_others(entry: Command) -> None:
    for language in LANGUAGES:
        assert sorted(command_keys(entry) - set(entries(language))) == []
        attributes = {key for key in entries(language) if key.startswith(f"{entry.name}.")}
        assert sorted(attributes - command_keys(entry)) == []
    explained = [f"{entry.name}{suffix}" in entries("en") for suffix in ("-how", "-paper")]
    assert explained in ([True, True], [False, False])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("entry", ALL, ids=ids)
def test_a_commands_words_fit_the_platforms(entry: Command, language: str) -> None:
    titles = [entry.title(language), *(p.title(language) for p in entry.parameters)]
    for title in titles:
        assert NAME.fullmatch(title), title
        assert title == (tr_lower(title) if language == "tr" else title.lower()), title
        assert len(title.lower()) == len(title), "Discord lowers it by Unicode's own rule"
        assert TELEGRAM_NAME.fullmatch(fold(title).replace("-", "_")), title
    descriptions = [
        entry.description(language),
        *(parameter.description(language) for parameter in entry.parameters),
    ]
    for description in descriptions:
        assert 1 <= len(description) <= 100, description
        assert "\n" not in description
    assert len(entry.parameters) <= 25
    for parameter in entry.parameters:
        assert len(parameter.choices) <= 25
        for value in parameter.choices:
            assert 1 <= len(parameter.choice_title(value, language)) <= 100


@pytest.mark.parametrize("entry", ALL, ids=ids)
def test_a_command_fits_into_discords_eight_thousand_characters(entry: Command) -> None:
    def longest(texts: list[str]) -> int:
        return max(map(len, texts))

    total = longest([entry.title(lang) for lang in LANGUAGES])
    total += longest([entry.description(lang) for lang in LANGUAGES])
    for parameter in entry.parameters:
        total += longest([parameter.title(lang) for lang in LANGUAGES])
        total += longest([parameter.description(lang) for lang in LANGUAGES])
        for value in parameter.choices:
            titles = [parameter.choice_title(value, lang) for lang in LANGUAGES]
            total += longest(titles) + len(value)
    assert total <= 8000


def test_no_two_commands_share_a_name_in_any_language() -> None:
    owners: dict[str, set[str]] = {}
    for entry in ALL:
        for title in (entry.name, *(entry.title(language) for language in LANGUAGES)):
            owners.setdefault(fold(title).replace("_", "-"), set()).add(entry.name)
    assert {name: who for name, who in owners.items() if len(who) > 1} == {}


@pytest.mark.parametrize("entry", ALL, ids=ids)
def test_no_two_parameters_or_choices_share_a_name(entry: Command) -> None:
    owners: dict[str, set[str]] = {}
    for parameter in entry.parameters:
        for title in (parameter.name, *(parameter.title(lang) for lang in LANGUAGES)):
            owners.setdefault(fold(title), set()).add(parameter.name)
        choices: dict[str, set[str]] = {}
        for value in parameter.choices:
            for title in (value, *(parameter.choice_title(value, lang) for lang in LANGUAGES)):
                choices.setdefault(fold(title), set()).add(value)
        assert {name: who for name, who in choices.items() if len(who) > 1} == {}
    assert {name: who for name, who in owners.items() if len(who) > 1} == {}


def test_one_hundred_commands_at_most() -> None:
    assert len(ALL) <= 100  # Discord's and Telegram's limit alike


# --- rendering -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_renders_with_any_number(language: str) -> None:
    """Also with values nobody thought of; a selector without a match would raise."""
    for key, pattern in entries(language).items():
        for value in (0, 1, 2, 11, 0.5, 1_234_567):
            text = words(language)(Message(key, **_filled(pattern, value)))
            assert text.strip(), key
            assert "{" not in text, key


def _filled(pattern: ftl.Pattern, value: float) -> dict[str, object]:
    moments = set()

    class Dates(Visitor):  # type: ignore[misc]
        def visit_FunctionReference(self, node: ftl.FunctionReference) -> None:  # noqa: N802
            if node.id.name == "DATETIME":
                moments.update(a.id.name for a in node.arguments.positional)

    Dates().visit(pattern)
    return {
        name: datetime(2026, 6, 4) if name in moments else value  # noqa: DTZ001
        for name in variables(pattern)
    }


@pytest.mark.parametrize(
    ("value", "turkish", "english"),
    [
        (1234567, "1.234.567", "1,234,567"),
        (0.5, "0,5", "0.5"),
        (1234.5, "1.234,5", "1,234.5"),
        (-3, "-3", "-3"),
    ],
)
def test_numbers_are_written_as_the_language_does(value: float, turkish: str, english: str) -> None:
    message = Message("help-default", value=value)
    assert words("tr")(message) == f"yazmazsan {turkish}"
    assert words("en")(message) == f"otherwise {english}"


@pytest.mark.parametrize(
    ("fraction", "turkish", "english"), [(0, "%0", "0%"), (0.87, "%87", "87%"), (1, "%100", "100%")]
)
def test_the_percent_sign_stands_first_in_turkish(
    fraction: float, turkish: str, english: str
) -> None:
    message = Message("detect-label", label="x", confidence=fraction)
    assert words("tr")(message) == f"x {turkish}"
    assert words("en")(message) == f"x {english}"


def test_listings_and_lines() -> None:
    things = [Label("coco", "person", 2), Message("button-cancel"), "x"]
    assert words("en")(Listing(things)) == "people, Cancel, and x"
    assert words("tr")(Listing(things)) == "kişi, İptal ve x"
    assert words("tr")(Listing(things, "or")) == "kişi, İptal veya x"
    assert words("tr")(Lines(things)) == "kişi\nİptal\nx"
    assert words("en")(Message("help-parameters", parameters=Lines(["a", "b"]))).endswith("a\nb")


def test_mistakes_of_ours_are_loud() -> None:
    with pytest.raises(UnknownMessage):
        words("tr")(Message("no-such-key"))
    with pytest.raises(UnknownMessage):
        words("tr")(Message("help.no-such-attribute"))
    with pytest.raises(ValueError, match="queued"):
        words("tr")(Message("queued"))
    assert not words("tr").has("no-such-key")
    assert words("xx").language == "en"


def test_arguments_cannot_smuggle_fluent_in() -> None:
    for text in ("{ $x }", "{ help }", '{ "a" }', "\u2068x\u2069", "*[other] x"):
        assert text in words("tr")(Message("error-parameter-unknown", name=text))


def test_a_message_can_cross_to_the_drawing_process() -> None:
    message = Message("help-default", value=Message("help-yes"))
    assert pickle.loads(pickle.dumps(message)) == message
    assert hash(message) == hash(Message("help-default", value=1))


def test_another_folder_of_words(tmp_path: Path) -> None:
    (tmp_path / "tr").mkdir()
    (tmp_path / "tr" / "a.ftl").write_text("a = bir\n    .b = iki\n", encoding="utf-8")
    say = Words("tr", tmp_path)
    assert (say(Message("a")), say(Message("a.b")), say.has("a.c")) == ("bir", "iki", False)


# --- Turkish letters -----------------------------------------------------------------------------


def test_turkish_casing() -> None:
    assert tr_lower("IĞDIR İSTANBUL") == "ığdır istanbul"
    assert tr_upper("ığdır istanbul") == "IĞDIR İSTANBUL"
    assert len(tr_lower("İ")) == 1, "Python's own lower() makes two of it"
    assert tr_lower(unicodedata.normalize("NFD", "ÇİĞ")) == "çiğ"
    assert tr_upper(unicodedata.normalize("NFD", "çiğ")) == "ÇİĞ"
    assert [capitalise("istanbul", language) for language in LANGUAGES] == ["İstanbul", "Istanbul"]
    assert capitalise("ışık", "tr") == "Işık"
    assert capitalise("", "tr") == ""


@pytest.mark.parametrize(
    "typed", ["algıla", "ALGILA", "algila", "Algıla", "ALGİLA", "älgıla", "algıla\u0301"]
)
def test_folding_forgives(typed: str) -> None:
    assert fold(typed) == fold(unicodedata.normalize("NFD", typed)) == "algila"


def test_folding_tells_words_apart() -> None:
    assert fold("Şüphe ÇÖĞÜŞ") == "suphe cogus"
    assert fold("kişi") != fold("kisa")


@pytest.mark.parametrize(
    ("tag", "language"),
    [("tr", "tr"), ("tr-TR", "tr"), ("TR_tr", "tr"), ("en-GB", "en"), ("de", None), ("", None)],
)
def test_language_tags(tag: str, language: str | None) -> None:
    assert language_of(tag) == language
    assert language_of(None) is None
