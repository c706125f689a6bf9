"""A Discord of our own, in memory: one application, one guild, its people and what they see.

People act (`slash`, `menu`, `press`, `send_form`) and read what was answered. What the bot sends is
held against Discord's documented limits; whatever breaks one is refused as Discord would, and is a
violation besides, which `check()` raises. `tests/e2e/discord_server.py` puts it behind HTTP and a
gateway for the real client.

Faults are answers put in line: `world.faults["edit_original"].append(too_many(0.2))`.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.discord_payload import ATTACHMENT, CHAT_INPUT, problems
from tests.discord_payload import MESSAGE as MESSAGE_MENU

Json = dict[str, Any]

TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabCde.a-token-for-the-loopback-only-0123456789"
EPHEMERAL, LOADING = 64, 128  # flags of a message
ACKNOWLEDGE_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
FILE_LIMIT = 10 * 1024 * 1024  # bytes
REQUEST_LIMIT = 25 * 1024 * 1024  # bytes
PATIENCE = 30.0  # seconds that a test waits for something to be seen

MANAGE_GUILD = 1 << 5
CREATE_PUBLIC_THREADS, SEND_MESSAGES_IN_THREADS = 1 << 35, 1 << 38
PERMISSIONS = 2_147_601_408  # what everybody may do
TEXT_CHANNEL, PUBLIC_THREAD = 0, 11

_EPOCH = 1_420_070_400_000  # milliseconds; the first one of 2015
_serial = count(1)


def snowflake(age: float = 0.0) -> int:
    """A fresh id, of something made `age` seconds ago."""
    milliseconds = int((time.time() - age) * 1000) - _EPOCH
    return (milliseconds << 22) | (next(_serial) % 4096)


def moment() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())


# --- answers that are no success -----------------------------------------------------------------


class Refusal(Exception):
    """An answer of Discord's other than success."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.body = {"message": message, "code": code, **more}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request. `done`: Discord did what was asked, nobody heard of it.

    `status` 0 closes the connection without an answer.
    """

    status: int
    body: Json = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


def too_many(seconds: float, *, everywhere: bool = False) -> Fault:
    body = {"message": "You are being rate limited.", "retry_after": seconds, "global": everywhere}
    # Only answers that came by way of Discord's proxy carry Via; the library looks for it.
    return Fault(429, body, {"Retry-After": str(seconds), "Via": "1.1 google"})


def refusal(status: int, code: int) -> Fault:
    return Fault(status, {"message": "refused by the test", "code": code})


def dropped(*, done: bool = False) -> Fault:
    return Fault(0, done=done)


def bad_form(what: str) -> Refusal:
    return Refusal(400, 50035, "Invalid Form Body", errors={"_errors": [{"message": what}]})


# --- things --------------------------------------------------------------------------------------


@dataclass
class Person:
    id: int
    name: str
    locale: str = "en-US"
    moderates: bool = False

    def to_json(self) -> Json:
        return {
            "id": str(self.id),
            "username": self.name.lower(),
            "global_name": self.name,
            "discriminator": "0",
            "avatar": None,
            "bot": self.name == "Tadım",
            "public_flags": 0,
        }


@dataclass
class Upload:
    """A file on the content network; its address is signed, as Discord's are."""

    id: int
    name: str
    data: bytes
    alt: str | None = None
    signature: str = field(default_factory=lambda: secrets.token_hex(8))

    def to_json(self, base: str) -> Json:
        address = f"{base}/attachments/{self.id}/{self.name}?ex=ffffffff&hm={self.signature}"
        entry: Json = {
            "id": str(self.id),
            "filename": self.name,
            "size": len(self.data),
            "url": address,
            "proxy_url": address,
            "content_type": "image/jpeg" if self.name.endswith(("jpg", "jpeg")) else "image/png",
        }
        return {**entry, "description": self.alt} if self.alt is not None else entry


@dataclass
class Message:
    id: int
    channel: int
    author: Person
    content: str = ""
    uploads: list[Upload] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    edits: int = 0
    deleted: bool = False
    history: list[str] = field(default_factory=list)  # its contents, oldest first
    asker: Person | None = None  # whose interaction it answers
    replies_to: int | None = None
    changed: float = field(default_factory=time.monotonic)  # when it was posted or edited last

    @property
    def ephemeral(self) -> bool:
        return bool(self.flags & EPHEMERAL)

    @property
    def buttons(self) -> dict[str, Json]:
        """The buttons by label."""
        return {b["label"]: b for row in self.components for b in row["components"]}


@dataclass
class Interaction:
    """Something a person did, and what came of it."""

    id: int
    kind: int
    person: Person
    channel: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    dispatched: float = field(default_factory=time.monotonic)
    source: Message | None = None
    response: int | None = None  # the type of the first response
    acknowledged: float | None = None  # when that came
    original: Message | None = None
    form: Json | None = None
    choices: list[Json] | None = None
    messages: list[Message] = field(default_factory=list)

    @property
    def age(self) -> float:
        return time.time() - ((self.id >> 22) + _EPOCH) / 1000

    @property
    def visible(self) -> list[Message]:
        """The answer: its messages that say something."""
        return [m for m in self.messages if not m.deleted and not m.flags & LOADING]


# --- the world -----------------------------------------------------------------------------------


class World:
    """Everything there is. `cdn` is the address under which files are served."""

    def __init__(self) -> None:
        self.application = snowflake()
        self.bot = Person(self.application, "Tadım")
        self.guild = snowflake()
        self.channel = snowflake()
        self.cdn = ""
        self.features: list[str] = []
        self.guild_locale = "en-US"
        self.file_limit = FILE_LIMIT
        self.accepted: int | None = None  # bytes of a file, where less is taken than announced
        self.people: dict[int, Person] = {}
        self.commands: list[Json] = []
        self.uploads: dict[int, Upload] = {}
        self.messages: dict[int, Message] = {}
        self.interactions: dict[str, Interaction] = {}
        self.direct: dict[int, int] = {}  # channels of direct messages, by person
        self.threads: dict[int, str] = {}  # names, by id
        self.permissions = PERMISSIONS | CREATE_PUBLIC_THREADS | SEND_MESSAGES_IN_THREADS  # bot's
        self.typing: list[int] = []  # channels in which the bot showed that it types
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.requests: list[tuple[str, Json]] = []  # names of routes with what was sent
        self.violations: list[str] = []
        self.too_many: list[str] = []  # the 429s that the bot provoked: "route: bucket"
        self.dispatch: Callable[[str, Json], None] = lambda event, data: None
        self._changed = asyncio.Event()
        self._newest: Json = {}

    def check(self) -> None:
        """Raise what the bot did that Discord does not allow, or that we do not."""
        assert not self.violations, "\n".join(self.violations)
        # The first one of a route may be how the bot learns of its limit.
        assert len(self.too_many) <= 1, f"429s: {self.too_many}"

    def violation(self, what: str) -> None:
        self.violations.append(what)

    def changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until something is so, and return what the condition gave."""
        async with asyncio.timeout(PATIENCE):
            while not (seen := condition()):
                await self._changed.wait()
        return seen

    # --- people act

    def person(self, name: str, locale: str = "en-US", *, moderates: bool = False) -> Person:
        person = Person(snowflake(), name, locale, moderates)
        self.people[person.id] = person
        return person

    def say(self, person: Person, content: str, *files: tuple[str, bytes]) -> Message:
        """A person writes into the channel."""
        uploads = [self._upload(name, data) for name, data in files]
        message = Message(snowflake(), self.channel, person, content, uploads)
        self.messages[message.id] = message
        return message

    def slash(
        self,
        person: Person,
        name: str,
        age: float = 0.0,
        where: int | None = None,
        **options: Any,
    ) -> Interaction:
        """A person uses a slash command, named as their own language names it."""
        command = self._command(CHAT_INPUT, name, person.locale)
        resolved: Json = {}
        sent = [
            self._option(command, option, value, person.locale, resolved)
            for option, value in options.items()
        ]
        data = {"id": command["id"], "name": command["name"], "type": CHAT_INPUT, "options": sent}
        return self._act(person, 2, {**data, "resolved": resolved}, age=age, where=where)

    def menu(self, person: Person, name: str, message: Message) -> Interaction:
        """A person uses a menu on a message."""
        command = self._command(MESSAGE_MENU, name, person.locale)
        data = {
            "id": command["id"],
            "name": command["name"],
            "type": MESSAGE_MENU,
            "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): self.message_json(message)}},
        }
        return self._act(person, 2, data)

    def press(self, person: Person, message: Message, label: str) -> Interaction:
        """A person presses a button."""
        button = message.buttons[label]
        data = {"component_type": 2, "custom_id": button["custom_id"]}
        return self._act(person, 3, data, source=message, where=message.channel)

    def send_form(self, person: Person, shown: Interaction, **values: Any) -> Interaction:
        """A person fills in a form and sends it; files are (name, bytes)."""
        assert shown.form is not None, "no form was shown"
        resolved: Json = {}
        components = [
            {
                "type": 18,
                "id": number,
                "component": self._filled(label["component"], values, resolved),
            }
            for number, label in enumerate(shown.form["components"], start=1)
        ]
        custom_id = shown.form["custom_id"]
        data = {"custom_id": custom_id, "components": components, "resolved": resolved}
        return self._act(person, 5, data, source=shown.source, where=shown.channel)

    async def answer(
        self, interaction: Interaction, wanted: Callable[[Message], Any] = lambda message: True
    ) -> Message:
        """The newest message of the answer, once it is as wanted."""

        def look() -> Message | None:
            newest = interaction.visible[-1:]
            return newest[0] if newest and wanted(newest[0]) else None

        found = await self.until(look)
        assert isinstance(found, Message)
        return found

    async def finished(self, interaction: Interaction) -> Message:
        """The last message of the answer, once nothing can be cancelled any more."""
        return await self.answer(
            interaction, lambda m: not {"Cancel", "İptal"} & set(m.buttons) and m.content != "…"
        )

    def _act(
        self,
        person: Person,
        kind: int,
        data: Json,
        source: Message | None = None,
        age: float = 0.0,
        where: int | None = None,
    ) -> Interaction:
        channel = where or self.channel
        interaction = Interaction(snowflake(age), kind, person, channel, source=source)
        self.interactions[interaction.token] = interaction
        event: Json = {
            "id": str(interaction.id),
            "application_id": str(self.application),
            "type": kind,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "guild_id": str(self.guild),
            "guild": {"id": str(self.guild), "features": self.features, "locale": "en-US"},
            "guild_locale": self.guild_locale,
            "channel_id": str(channel),
            "channel": self.place_json(channel),
            "member": self._member_json(person),
            "locale": person.locale,
            "app_permissions": str(self.permissions),
            "attachment_size_limit": self.file_limit,
            "entitlements": [],
            "authorizing_integration_owners": {"0": str(self.guild)},
            "context": 0,
        }
        if source is not None:
            event["message"] = self.message_json(source)
        self._newest = event
        self.dispatch("INTERACTION_CREATE", event)
        return interaction

    def repeat(self) -> None:
        """Deliver the newest interaction once more."""
        self.dispatch("INTERACTION_CREATE", self._newest)

    def _command(self, kind: int, name: str, locale: str) -> Json:
        for command in self.commands:
            if command["type"] == kind and _shown(command, locale) == name:
                return command
        raise AssertionError(f"{locale}: no command is called {name!r}")

    def _option(self, command: Json, name: str, value: Any, locale: str, resolved: Json) -> Json:
        option = next(o for o in command["options"] if _shown(o, locale) == name)
        if option["type"] == ATTACHMENT:
            value = self._resolved_upload(value, resolved)
        return {"name": option["name"], "type": option["type"], "value": value}

    def _filled(self, component: Json, values: Mapping[str, Any], resolved: Json) -> Json:
        custom_id, kind = component["custom_id"], component["type"]
        filled: Json = {"type": kind, "custom_id": custom_id}
        if kind == 19:
            given = values[custom_id]
            files = given if isinstance(given, list) else [given]
            filled["values"] = [self._resolved_upload(file, resolved) for file in files]
        else:
            filled["value"] = values[custom_id]
        return filled

    def _resolved_upload(self, file: tuple[str, bytes], resolved: Json) -> str:
        upload = self._upload(*file)
        resolved.setdefault("attachments", {})[str(upload.id)] = upload.to_json(self.cdn)
        return str(upload.id)

    def _upload(self, name: str, data: bytes, alt: str | None = None) -> Upload:
        upload = Upload(snowflake(), name, data, alt)
        self.uploads[upload.id] = upload
        return upload

    # --- the bot acts

    def set_commands(self, commands: list[Json]) -> list[Json]:
        if wrong := problems(commands):
            raise bad_form("; ".join(wrong))
        self.commands = [
            {
                "description": "",
                **command,
                "id": str(snowflake()),
                "application_id": str(self.application),
                "version": str(snowflake()),
            }
            for command in commands
        ]
        return self.commands

    def respond(self, interaction_id: int, token: str, body: Json) -> None:
        """The first response to an interaction."""
        interaction = self.interactions.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise Refusal(404, 10062, "Unknown interaction")
        if interaction.response is not None:
            raise Refusal(400, 40060, "Interaction has already been acknowledged.")
        if time.monotonic() - interaction.dispatched > ACKNOWLEDGE_SECONDS:
            raise Refusal(404, 10062, "Unknown interaction")
        kind, data = body["type"], body.get("data") or {}
        flags = int(data.get("flags", 0))
        match kind:
            case 4:
                interaction.original = self._post(interaction.channel, data, [], flags, interaction)
            case 5:
                message = Message(snowflake(), interaction.channel, self.bot, flags=flags | LOADING)
                message.asker = interaction.person
                self.messages[message.id] = interaction.original = message
                interaction.messages.append(message)
            case 6 if interaction.kind in (3, 5) and interaction.source is not None:
                interaction.original = interaction.source
            case 8 if interaction.kind == 4:
                interaction.choices = data["choices"]
            case 9 if interaction.kind in (2, 3):
                interaction.form = _checked_form(data)
            case _:
                raise bad_form(
                    f"type {kind} does not answer an interaction of type {interaction.kind}"
                )
        interaction.response = kind
        interaction.acknowledged = time.monotonic()

    def interaction(self, application: int, token: str) -> Interaction:
        """The interaction whose token was used as a webhook's."""
        interaction = self.interactions.get(token)
        if application != self.application or interaction is None or interaction.response is None:
            raise Refusal(404, 10015, "Unknown Webhook")
        if interaction.age > TOKEN_SECONDS:
            raise Refusal(401, 50027, "Invalid Webhook Token")
        return interaction

    def follow_up(self, interaction: Interaction, body: Json, files: list[Upload]) -> Message:
        original = interaction.original
        if original is not None and original.flags & LOADING and not original.deleted:
            # As long as it "thinks", the first further message takes the place of the awaited one.
            return self.edit(original, body, files)
        flags = int(body.get("flags") or 0)
        return self._post(interaction.channel, body, files, flags, interaction)

    def post(self, channel: int, body: Json, files: list[Upload]) -> Message:
        """An ordinary message of the bot's."""
        known = {self.channel, *self.threads, *self.direct.values()}
        if channel not in known:
            raise Refusal(404, 10003, "Unknown Channel")
        message = self._post(channel, body, files, 0, None)
        if reference := body.get("message_reference"):
            wanted = self.messages.get(int(reference["message_id"]))
            if wanted is not None and not wanted.deleted and not wanted.ephemeral:
                message.replies_to = wanted.id
            elif reference.get("fail_if_not_exists", True):
                raise bad_form("message_reference: unknown message")
        return message

    def start_thread(self, channel: int, message_id: int, body: Json) -> Json:
        """A thread under a message; it has the message's id."""
        message = self.find_message(message_id)
        if channel != self.channel or message.channel != channel or message.flags & LOADING:
            raise Refusal(400, 50024, "Cannot execute action on this channel type")
        if not self.permissions & CREATE_PUBLIC_THREADS:
            raise Refusal(403, 50013, "Missing Permissions")
        if message_id in self.threads:
            raise Refusal(400, 160004, "A thread has already been created for this message")
        if not 1 <= len(body["name"]) <= 100:
            raise bad_form(f"name of a thread: {body['name']!r}")
        self.threads[message_id] = body["name"]
        return self.thread_json(message_id)

    def show_typing(self, channel: int) -> None:
        if channel not in {self.channel, *self.threads, *self.direct.values()}:
            raise Refusal(404, 10003, "Unknown Channel")
        self.typing.append(channel)

    def edit(self, message: Message, body: Json, files: list[Upload]) -> Message:
        if message.deleted:
            raise Refusal(404, 10008, "Unknown Message")
        content = message.content if body.get("content") is None else body["content"]
        uploads = message.uploads
        if "attachments" in body:
            kept = {upload.id: upload for upload in message.uploads}
            uploads = self._attached(body, files)
            uploads += [kept[int(a["id"])] for a in body["attachments"] if int(a["id"]) in kept]
        components = message.components
        if "components" in body:
            components = body["components"] or []
        self._check_message(content, uploads, components, body)
        message.content, message.uploads, message.components = content, uploads, components
        message.flags &= ~LOADING
        message.edits += 1
        message.changed = time.monotonic()
        message.history.append(content)
        return message

    def delete(self, message: Message) -> None:
        if message.deleted:
            raise Refusal(404, 10008, "Unknown Message")
        message.deleted = True

    def find_message(self, message_id: int) -> Message:
        message = self.messages.get(message_id)
        if message is None or message.deleted:
            raise Refusal(404, 10008, "Unknown Message")
        return message

    def direct_channel(self, person: int) -> int:
        return self.direct.setdefault(person, snowflake())

    def _post(
        self,
        channel: int,
        body: Json,
        files: list[Upload],
        flags: int,
        interaction: Interaction | None,
    ) -> Message:
        content, components = body.get("content") or "", body.get("components") or []
        uploads = self._attached(body, files)
        self._check_message(content, uploads, components, body)
        message = Message(snowflake(), channel, self.bot, content, uploads, components, flags)
        message.history.append(content)
        self.messages[message.id] = message
        if interaction is not None:
            message.asker = interaction.person
            interaction.messages.append(message)
        return message

    def _attached(self, body: Json, files: list[Upload]) -> list[Upload]:
        described = {int(a["id"]): a for a in body.get("attachments") or []}
        for number, upload in enumerate(files):
            upload.alt = described.get(number, {}).get("description")
            if len(upload.data) > (self.accepted or self.file_limit):
                raise Refusal(413, 40005, "Request entity too large")
            self.uploads[upload.id] = upload
        return files

    def _check_message(
        self, content: str, uploads: list[Upload], components: list[Json], body: Json
    ) -> None:
        if not content and not uploads and not components:
            raise Refusal(400, 50006, "Cannot send an empty message")
        if len(content) > 2000:
            raise bad_form(f"content: {len(content)} characters")
        if len(uploads) > 10:
            raise bad_form(f"{len(uploads)} attachments")
        if any(len(upload.alt or "") > 1024 for upload in uploads):
            raise bad_form("a description of more than 1024 characters")
        _check_components(components)
        if body.get("allowed_mentions") != {"parse": []}:
            self.violation(f"a message that may ping: {body.get('allowed_mentions')}")

    # --- how Discord writes it

    def message_json(self, message: Message) -> Json:
        shown: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel),
            "author": message.author.to_json(),
            "content": message.content,
            "timestamp": moment(),
            "edited_timestamp": moment() if message.edits else None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [upload.to_json(self.cdn) for upload in message.uploads],
            "embeds": [],
            "components": message.components,
            "pinned": False,
            "type": 0,
            "flags": message.flags,
        }
        if message.asker is not None:
            shown["interaction_metadata"] = {
                "id": str(message.id),
                "type": 2,
                "user": message.asker.to_json(),
                "authorizing_integration_owners": {"0": str(self.guild)},
            }
        return shown

    def hidden_json(self, message: Message) -> Json:
        """The message as shown without the message content intent."""
        shown = self.message_json(message)
        if message.author is not self.bot and message.channel == self.channel:
            shown |= {"content": "", "attachments": [], "components": []}
        return shown

    def place_json(self, channel: int) -> Json:
        return self.thread_json(channel) if channel in self.threads else self.channel_json()

    def thread_json(self, thread: int) -> Json:
        return {
            "id": str(thread),
            "type": PUBLIC_THREAD,
            "guild_id": str(self.guild),
            "parent_id": str(self.channel),
            "owner_id": str(self.application),
            "name": self.threads[thread],
            "last_message_id": None,
            "message_count": 0,
            "member_count": 1,
            "rate_limit_per_user": 0,
            "flags": 0,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": moment(),
                "locked": False,
            },
        }

    def channel_json(self) -> Json:
        return {
            "id": str(self.channel),
            "type": TEXT_CHANNEL,
            "guild_id": str(self.guild),
            "name": "derslik",
            "position": 0,
            "permission_overwrites": [],
            "topic": None,
            "nsfw": False,
            "parent_id": None,
            "last_message_id": None,
            "rate_limit_per_user": 0,
            "permissions": str(PERMISSIONS),
            "flags": 0,
        }

    def guild_json(self) -> Json:
        everyone = {
            "id": str(self.guild),
            "name": "@everyone",
            "permissions": str(PERMISSIONS),
            "position": 0,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": False,
            "mentionable": False,
            "flags": 0,
        }
        return {
            "id": str(self.guild),
            "name": "Tadım Turu",
            "owner_id": str(self.application),
            "features": self.features,
            "preferred_locale": self.guild_locale,
            "roles": [everyone],
            "emojis": [],
            "stickers": [],
            "members": [self._member_json(self.bot)],
            "member_count": 300,
            "channels": [self.channel_json()],
            "threads": [],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "premium_progress_bar_enabled": False,
            "system_channel_id": None,
            "system_channel_flags": 0,
            "afk_channel_id": None,
            "afk_timeout": 300,
            "large": True,
            "unavailable": False,
            "joined_at": moment(),
        }

    def _member_json(self, person: Person) -> Json:
        return {
            "user": person.to_json(),
            "roles": [],
            "joined_at": moment(),
            "deaf": False,
            "mute": False,
            "flags": 0,
            "permissions": str(PERMISSIONS | (MANAGE_GUILD if person.moderates else 0)),
        }


# --- limits --------------------------------------------------------------------------------------


def _shown(thing: Json, locale: str) -> str:
    """A name as somebody with this language sees it."""
    return str((thing.get("name_localizations") or {}).get(locale, thing["name"]))


def _check_components(rows: list[Json]) -> None:
    if len(rows) > 5:
        raise bad_form(f"{len(rows)} rows of buttons")
    seen: set[str] = set()
    for row in rows:
        if row["type"] != 1 or not 1 <= len(row["components"]) <= 5:
            raise bad_form("a row holds one to five buttons")
        for button in row["components"]:
            if not 1 <= len(button["label"]) <= 80:
                raise bad_form(f"label: {button['label']!r}")
            if button["style"] == 5:
                if not re.match(r"https?://", button["url"]) or len(button["url"]) > 512:
                    raise bad_form(f"url: {button['url']!r}")
                continue
            if not 1 <= len(button["custom_id"]) <= 100 or button["custom_id"] in seen:
                raise bad_form(f"custom_id: {button['custom_id']!r}")
            seen.add(button["custom_id"])


def _checked_form(form: Json) -> Json:
    if not 1 <= len(form["title"]) <= 45 or not 1 <= len(form["custom_id"]) <= 100:
        raise bad_form("title or custom_id of a form")
    if not 1 <= len(form["components"]) <= 5:
        raise bad_form("a form has one to five fields")
    for label in form["components"]:
        if label["type"] != 18 or not 1 <= len(label["label"]) <= 45:
            raise bad_form(f"label: {label}")
        if len(label.get("description") or "") > 100:
            raise bad_form("a label's description")
        if label["component"]["type"] not in (3, 4, 19, 23):
            raise bad_form(f"component: {label['component']}")
    return form
