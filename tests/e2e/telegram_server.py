"""A Bot API of our own: strict, in memory, for one bot.

`World` is Telegram: people and groups in it write, press buttons and read; the bot calls methods.
It checks every call as the real server does, and more: an unknown method or parameter, markup that
does not nest, a button with too many bytes or more messages than the limits allow is a violation,
which `check()` raises. `serve()` puts it behind HTTP for the real client; `WorldRequest` plugs it
into the client without a network.

Updates are polled for, or brought to a webhook where the bot set one: then `proxy` is the
operator's reverse proxy, which ends TLS and leads to the program.

Faults are answers put in line: `world.faults["sendMessage"].append(too_many(3))`.
"""

from __future__ import annotations

import asyncio
import html
import io
import json
import math
import re
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import ClientError, ClientSession, web
from PIL import Image
from telegram.request import BaseRequest, RequestData

Json = dict[str, Any]

TOKEN = "123456789:AAEqW3rTyUiOpAsDfGhJkLzXcVbNm12345"
BOT = {"id": 123456789, "is_bot": True, "first_name": "Tadım", "username": "TadimTestBot"}

# --- what the methods take -----------------------------------------------------------------------

_SEND = {"chat_id!": int, "message_thread_id": int, "reply_parameters": dict, "reply_markup": dict}
_CAPTION = {"caption": str, "parse_mode": str}
METHODS: dict[str, dict[str, type]] = {
    "getMe": {},
    "deleteWebhook": {"drop_pending_updates": bool},
    "setWebhook": {
        "url!": str,
        "allowed_updates": list,
        "max_connections": int,
        "secret_token": str,
    },
    "getWebhookInfo": {},
    "getUpdates": {"offset": int, "timeout": int, "limit": int, "allowed_updates": list},
    "getFile": {"file_id!": str},
    "getChatMember": {"chat_id!": int, "user_id!": int},
    "sendMessage": {**_SEND, "text!": str, "parse_mode": str, "link_preview_options": dict},
    "sendPhoto": {**_SEND, **_CAPTION, "photo!": bytes},
    "sendAnimation": {**_SEND, **_CAPTION, "animation!": bytes},
    "sendDocument": {**_SEND, **_CAPTION, "document!": bytes},
    "sendMediaGroup": {**_SEND, "media!": list},
    "editMessageText": {
        "chat_id!": int,
        "message_id!": int,
        "text!": str,
        "parse_mode": str,
        "reply_markup": dict,
        "link_preview_options": dict,
    },
    "deleteMessage": {"chat_id!": int, "message_id!": int},
    "deleteMessages": {"chat_id!": int, "message_ids!": list},
    "sendChatAction": {"chat_id!": int, "action!": str, "message_thread_id": int},
    "sendMessageDraft": {
        "chat_id!": int,
        "draft_id!": int,
        "text": str,
        "parse_mode": str,
        "message_thread_id": int,
    },
    "answerCallbackQuery": {"callback_query_id!": str, "text": str, "show_alert": bool},
    "setMyCommands": {"commands!": list, "scope": dict, "language_code": str},
    "deleteMyCommands": {"scope": dict, "language_code": str},
    "setMyDescription": {"description": str, "language_code": str},
    "setMyShortDescription": {"short_description": str, "language_code": str},
}


ACTIONS = {"typing", "upload_photo", "upload_video", "upload_document"}  # those we may need
DRAFT_SECONDS = 30.0  # how long a draft is shown after its last change
DELETABLE_SECONDS = 48 * 3600.0
SCOPES = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators"}


class Refusal(Exception):
    """An error answer of the Bot API."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.body: Json = {"ok": False, "error_code": code, "description": description}
        if parameters:
            self.body["parameters"] = parameters


def bad(reason: str) -> Refusal:
    return Refusal(400, f"Bad Request: {reason}")


def too_many(seconds: int) -> Refusal:
    description = f"Too Many Requests: retry after {seconds}"
    return Refusal(429, description, retry_after=seconds)


class Dropped(Exception):
    """A fault: the connection is cut instead of an answer."""


class ErrorPage(Exception):
    """A fault: some proxy answers with a page that quotes the whole address."""


# --- what the world remembers --------------------------------------------------------------------


@dataclass
class Call:
    """One call of a method, as it arrived."""

    method: str
    parameters: Json


@dataclass
class Shown:
    """A message of the bot as a reader sees it now."""

    id: int
    chat: int
    kind: str  # text, photo, animation, document
    text: str = ""
    markup: Json | None = None
    reply_to: int | None = None
    thread: int | None = None
    data: bytes = b""
    name: str = ""
    edits: int = 0
    deleted: bool = False
    sent_html: str = ""
    sent: float = 0.0  # when, by the world's clock
    edited: float = 0.0

    @property
    def buttons(self) -> list[Json]:
        return [button for row in (self.markup or {}).get("inline_keyboard", []) for button in row]

    def button(self, label: str) -> Json:
        return next(button for button in self.buttons if button["text"] == label)


@dataclass
class Draft:
    """A text that the bot is writing, as a reader saw it at one time."""

    id: int
    chat: int
    text: str
    html: str
    sent: float
    thread: int | None = None


@dataclass
class World:
    """Telegram, seen from one bot. Times are of `clock`, in seconds."""

    clock: Callable[[], float] = time.monotonic
    calls: list[Call] = field(default_factory=list)
    messages: list[Shown] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)  # all that were ever shown
    violations: list[str] = field(default_factory=list)
    refuses_floods: bool = False  # answers 429 to them, as the real one; else they are violations
    too_many: list[str] = field(default_factory=list)  # the 429s that the bot provoked
    faults: dict[str, deque[Refusal | Exception]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    answered_presses: dict[str, Json] = field(default_factory=dict)
    menus: dict[tuple[str, str], list[Json]] = field(default_factory=dict)  # by scope, language
    webhook: Json = field(default_factory=dict)  # what the bot set, empty while it polls
    proxy: str = ""  # where the webhook's host name leads: an address of the program's web server
    deliveries: list[int] = field(default_factory=list)  # how the webhook answered, or 0
    members: dict[tuple[int, int], str] = field(default_factory=dict)  # status by chat and person
    blocked: set[int] = field(default_factory=set)  # chats that the bot may not write to

    def __post_init__(self) -> None:
        self._updates: list[Json] = []
        self._repeats: list[Json] = []
        self._newest_update: Json = {}
        self._files: dict[str, bytes] = {}
        self._last_update = 1000
        self._last_message = 0
        self._last_album = 0
        self._written: dict[tuple[int, int], Json] = {}  # what people wrote, by chat and id
        self._sent_at: dict[int, deque[float]] = defaultdict(deque)
        self._changed = asyncio.Condition()
        self._poll = 0
        self.known_chats: set[int] = set()
        self.presses: dict[str, int] = {}

    def check(self) -> None:
        """Raise what the bot did against the rules."""
        assert not self.violations, "\n".join(self.violations)

    # --- people act ------------------------------------------------------------------------------

    async def says(self, who: Person, text: str = "", **more: Any) -> Json:
        """A text message; keys of `Message` in `more` (chat, reply_to_message, photo …)."""
        message = self._message(who, text=text, **more)
        await self._push("message", message)
        return message

    async def shows(
        self, who: Person, picture: bytes, caption: str | None = None, **more: Any
    ) -> Json:
        """A photo, with sizes as Telegram makes them."""
        message = self._photo(who, picture, caption, **more)
        await self._push("message", message)
        return message

    async def shows_album(
        self,
        who: Person,
        pictures: Sequence[bytes],
        captions: Mapping[int, str],
        arriving: Sequence[int] = (),
        **more: Any,
    ) -> list[Json]:
        """Photos in one album; `arriving` is the order of their updates, if it is another."""
        self._last_album += 1
        group = {"media_group_id": f"album{self._last_album}"}
        messages = [
            self._photo(who, picture, captions.get(number), **group, **more)
            for number, picture in enumerate(pictures)
        ]
        for number in arriving or range(len(messages)):
            await self._push("message", messages[number])
        return messages

    async def hands(
        self,
        who: Person,
        data: bytes,
        name: str = "text.txt",
        caption: str | None = None,
        mime_type: str = "text/plain",
        **more: Any,
    ) -> Json:
        """A document."""
        file_id = self.store(data)
        facts = {"file_name": name, "mime_type": mime_type, "file_size": len(data)}
        document = {"file_id": file_id, "file_unique_id": "u" + file_id, **facts}
        return await self.says(who, caption=caption, document=document, **more)

    async def edits(self, message: Json, **content: Any) -> Json:
        """Edit a message of somebody's; keys of `Message` in `content`."""
        edited = {**message, "edit_date": 1_790_000_060, **content}
        await self._push("edited_message", edited)
        return edited

    def _photo(self, who: Person, picture: bytes, caption: str | None, **more: Any) -> Json:
        small, large = self.store(picture[: len(picture) // 2]), self.store(picture)
        sizes = [
            {"file_id": small, "file_unique_id": "s" + small, "width": 90, "height": 60},
            {"file_id": large, "file_unique_id": "u" + large, "width": 1280, "height": 853},
        ]
        sizes[0]["file_size"], sizes[1]["file_size"] = len(picture) // 2, len(picture)
        return self._message(who, photo=sizes, caption=caption, **more)

    async def presses_button(self, who: Person, shown: Shown, label: str) -> str:
        """Press a button under a message of the bot; gives the query's id."""
        query = f"press{len(self.presses) + 1}"
        self.presses[query] = shown.id
        message = self._json(shown) | {"chat": who.chat_json(shown.chat)}
        if answered := self._written.get((shown.chat, shown.reply_to or 0)):
            message["reply_to_message"] = answered
        data = {
            "id": query,
            "from": who.json(),
            "message": message,
            "chat_instance": "1",
            "data": shown.button(label)["callback_data"],
        }
        await self._push("callback_query", data)
        return query

    def store(self, data: bytes) -> str:
        """Keep a file; gives its id."""
        file_id = f"file{len(self._files) + 1}"
        self._files[file_id] = data
        return file_id

    def _message(self, who: Person, *, chat: int | None = None, **content: Any) -> Json:
        self._last_message += 1
        self.known_chats.add(chat or who.id)
        message = {
            "message_id": self._last_message,
            "date": 1_790_000_000,
            "from": who.json(),
            "chat": who.chat_json(chat or who.id),
            **{key: value for key, value in content.items() if value not in (None, "")},
        }
        text = content.get("text") or ""
        if match := re.match(r"/[A-Za-z0-9_]{1,32}(@\w+)?(?!\w)", text):
            entity = {"type": "bot_command", "offset": 0, "length": len(match[0])}
            message["entities"] = [entity]
        self._written[message["chat"]["id"], self._last_message] = message
        return message

    async def _push(self, kind: str, body: Json) -> None:
        self._last_update += 1
        self._newest_update = {"update_id": self._last_update, kind: body}
        self._updates.append(self._newest_update)
        await self._notify()

    async def repeat_last_update(self) -> None:
        """Deliver the newest update once more, as after a lost confirmation."""
        self._repeats.append(self._newest_update)
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # --- people read -----------------------------------------------------------------------------

    def visible(self, chat: int) -> list[Shown]:
        return [shown for shown in self.messages if shown.chat == chat and not shown.deleted]

    def draft(self, chat: int) -> Draft | None:
        """The draft that a chat shows: a message takes its place, and so does time."""
        newest = next((draft for draft in reversed(self.drafts) if draft.chat == chat), None)
        if newest is None or self.clock() - newest.sent > DRAFT_SECONDS:
            return None
        later = any(shown.chat == chat and shown.sent >= newest.sent for shown in self.messages)
        return None if later else newest

    async def until(
        self, condition: Callable[[], Any], what: str = "something", patience: float = 20
    ) -> Any:
        """Wait for a condition; fails after `patience` seconds."""

        async def met() -> Any:
            async with self._changed:
                while not (value := condition()):
                    with suppress(TimeoutError):  # what is waited for may lie outside this world
                        await asyncio.wait_for(self._changed.wait(), 0.1)
                return value

        try:
            return await asyncio.wait_for(met(), patience)
        except TimeoutError:
            seen = [f"{shown.kind}: {shown.text!r}" for shown in self.messages]
            raise AssertionError(f"waited in vain for {what}; messages: {seen}") from None

    async def reads(
        self, chat: int, text: str, kind: str | None = None, patience: float = 20
    ) -> Shown:
        """Wait for a visible message that holds this text."""

        def found() -> Shown | None:
            fitting = (s for s in self.visible(chat) if text in s.text)
            return next((s for s in fitting if kind in (None, s.kind)), None)

        found_message: Shown = await self.until(found, repr(text), patience)
        return found_message

    def methods(self) -> list[str]:
        """The methods called, polling apart."""
        return [call.method for call in self.calls if call.method != "getUpdates"]

    # --- the bot calls ---------------------------------------------------------------------------

    async def call(self, method: str, raw: dict[str, str], files: dict[str, Any]) -> Json:
        """Answer a method. Raises `Refusal`, or a fault that was put in line."""
        try:
            if self.faults[method]:
                raise self.faults[method].popleft()
            parameters = self._parameters(method, raw, files)
            self.calls.append(Call(method, parameters))
            name = "_" + re.sub("([A-Z])", lambda m: "_" + m[1].lower(), method)
            answer = await getattr(self, name)(**parameters)
            return {"ok": True, "result": answer}
        finally:
            await self._notify()

    def _parameters(self, method: str, raw: dict[str, str], files: dict[str, Any]) -> Json:
        if method not in METHODS:
            self._violated(f"unknown method {method}")
            raise Refusal(404, "Not Found")
        wanted = {name.rstrip("!"): kind for name, kind in METHODS[method].items()}
        parameters: Json = {}
        for name, value in raw.items():
            if name not in wanted:
                raise self._violated(f"{method}: unknown parameter {name}")
            parameters[name] = self._typed(method, name, value, wanted[name])
        attached = {}
        for name, file in files.items():
            if wanted.get(name) is bytes:
                parameters[name] = file
            else:
                attached[name] = file
        for name in (name[:-1] for name in METHODS[method] if name.endswith("!")):
            if name not in parameters:
                raise self._violated(f"{method}: {name} is missing")
        if method == "sendMediaGroup":
            for item in parameters["media"]:
                item["media"] = attached.pop(item["media"].removeprefix("attach://"))
        if attached:
            raise self._violated(f"{method}: files that nothing refers to: {list(attached)}")
        return parameters

    def _typed(self, method: str, name: str, value: str, kind: type) -> Any:
        if kind is str:
            return value
        if kind is bytes:
            raise self._violated(f"{method}: {name} must be an upload here")
        try:
            typed = json.loads(value)
        except ValueError:
            raise self._violated(f"{method}: {name} is no JSON: {value!r}") from None
        if not isinstance(typed, kind):
            raise self._violated(f"{method}: {name} must be {kind.__name__}: {value!r}")
        return typed

    def _violated(self, what: str) -> Refusal:
        self.violations.append(what)
        return bad(what)

    async def _get_me(self) -> Json:
        return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False}

    async def _delete_webhook(self, drop_pending_updates: bool = False) -> bool:
        if drop_pending_updates:
            raise self._violated("deleteWebhook: people's messages are thrown away")
        self.webhook = {}
        return True

    async def _set_webhook(self, url: str, secret_token: str = "", **more: Any) -> bool:
        parts = urlsplit(url)
        if parts.scheme != "https":
            raise bad("bad webhook: An HTTPS URL must be provided for webhook")
        if (parts.port or 443) not in (80, 88, 443, 8443):
            raise bad("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
        if not re.fullmatch(r"[\w-]{16,256}", secret_token, re.ASCII):
            raise self._violated("setWebhook: no secret, or one that is easily guessed")
        if not 1 <= more.get("max_connections", 40) <= 100:
            raise self._violated("setWebhook: max_connections")
        self.webhook = {"url": url, "secret_token": secret_token, **more}
        return True

    async def _get_webhook_info(self) -> Json:
        info: Json = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(self._updates),
        }
        if failed := [status for status in self.deliveries if status != 200]:
            info["last_error_date"] = 1_790_000_000 + len(failed)
            info["last_error_message"] = f"Wrong response from the webhook: {failed[-1]}"
        return info

    async def deliver(self) -> None:
        """Bring updates to the webhook, each again and again until it is answered with 200."""
        async with ClientSession() as session:
            while True:
                async with self._changed:
                    while not (self.webhook and (self._repeats or self._updates)):
                        await self._changed.wait()
                line = self._repeats or self._updates
                update = line[0]
                if set(update) & set(self.webhook["allowed_updates"]):
                    self.deliveries.append(await self._bring(session, update))
                    if self.deliveries[-1] != 200:
                        await asyncio.sleep(0.05)
                        continue
                line.remove(update)
                await self._notify()

    async def _bring(self, session: ClientSession, update: Json) -> int:
        """Post an update to the webhook; the status, 0 where nobody listens."""
        address = urlsplit(self.webhook["url"])
        headers = {
            "Host": address.netloc,
            "X-Forwarded-For": "149.154.167.220",
            "X-Telegram-Bot-Api-Secret-Token": self.webhook["secret_token"],
        }
        try:
            posted = session.post(f"{self.proxy}{address.path}", json=update, headers=headers)
            async with posted as answer:
                return answer.status
        except ClientError:
            return 0

    async def _get_updates(
        self,
        offset: int = 0,
        timeout: int = 0,
        limit: int = 100,
        allowed_updates: list[str] | None = None,
    ) -> list[Json]:
        if self.webhook:
            reason = "can't use getUpdates method while webhook is active"
            raise Refusal(409, f"Conflict: {reason}; use deleteWebhook to delete the webhook first")
        self._poll += 1
        poll = self._poll
        self._updates = [update for update in self._updates if update["update_id"] >= offset]
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout), self._changed:
                while not (self._updates or self._repeats) and poll == self._poll:
                    await self._changed.wait()
        if poll != self._poll:
            raise Refusal(409, "Conflict: terminated by other getUpdates request")
        repeats, self._repeats = self._repeats, []
        allowed = set(allowed_updates or ["message", "callback_query"])
        return [update for update in repeats + self._updates if set(update) & allowed][:limit]

    async def _get_chat_member(self, chat_id: int, user_id: int) -> Json:
        if (status := self.members.get((chat_id, user_id))) is None:
            raise bad("PARTICIPANT_ID_INVALID")
        user = {"id": user_id, "is_bot": False, "first_name": "Somebody"}
        member: Json = {"status": status, "user": user}
        if status == "creator":
            member["is_anonymous"] = False
        if status == "administrator":
            rights = "can_be_edited is_anonymous can_manage_chat can_delete_messages "
            rights += "can_manage_video_chats can_restrict_members can_promote_members "
            rights += "can_change_info can_invite_users can_post_stories can_edit_stories "
            rights += "can_delete_stories"
            member |= dict.fromkeys(rights.split(), False)
        return member

    async def _get_file(self, file_id: str) -> Json:
        if file_id not in self._files:
            raise bad("wrong file_id or the file is temporarily unavailable")
        size = len(self._files[file_id])
        if size > 20 * 1024 * 1024:
            raise bad("file is too big")
        path = f"photos/{file_id}.jpg"
        return {
            "file_id": file_id,
            "file_unique_id": "u" + file_id,
            "file_size": size,
            "file_path": path,
        }

    def download(self, path: str) -> bytes:
        """A file by the path that getFile gave."""
        name = path.removeprefix("photos/").removesuffix(".jpg")
        if name not in self._files:
            raise Refusal(404, "Not Found")
        return self._files[name]

    async def _send_message(self, text: str, parse_mode: str | None = None, **where: Any) -> Json:
        where.pop("link_preview_options", None)
        plain = self._read_text(text, parse_mode, 4096, "message text is empty")
        return self._post("text", text=plain, sent_html=text, **where)

    async def _send_photo(self, photo: Upload, **rest: Any) -> Json:
        self._check_photo(photo)
        return self._post_media("photo", photo, **rest)

    async def _send_animation(self, animation: Upload, **rest: Any) -> Json:
        if not animation.data.startswith((b"GIF8", b"\0\0\0")):
            raise self._violated("sendAnimation: neither GIF nor MP4")
        return self._post_media("animation", animation, **rest)

    async def _send_document(self, document: Upload, **rest: Any) -> Json:
        return self._post_media("document", document, **rest)

    async def _send_media_group(self, media: list[Json], **where: Any) -> list[Json]:
        if not 2 <= len(media) <= 10:
            raise self._violated(f"sendMediaGroup: {len(media)} items")
        sent: list[Json] = []
        for item in media:
            if set(item) - {"type", "media", "caption", "parse_mode"} or item["type"] != "photo":
                raise self._violated(f"sendMediaGroup: {item}")
            self._check_photo(item["media"])
            text = {name: item[name] for name in ("caption", "parse_mode") if name in item}
            further = bool(sent) and where["chat_id"] > 0
            sent.append(self._post_media("photo", item["media"], further=further, **text, **where))
        return sent

    async def _edit_message_text(
        self,
        chat_id: int,
        message_id: int,
        text: str,
        parse_mode: str | None = None,
        reply_markup: Json | None = None,
        link_preview_options: Json | None = None,
    ) -> Json:
        shown = self._own(chat_id, message_id, "edit")
        if shown.kind != "text":
            raise bad("there is no text in the message to edit")
        plain = self._read_text(text, parse_mode, 4096, "message text is empty")
        self._check_markup(reply_markup, inline_only=True)
        if (plain, reply_markup) == (shown.text, shown.markup) and text == shown.sent_html:
            raise bad(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        self._pay(chat_id)
        shown.text, shown.sent_html, shown.markup = plain, text, reply_markup
        shown.edits += 1
        shown.edited = self.clock()
        return self._json(shown)

    async def _delete_message(self, chat_id: int, message_id: int) -> bool:
        shown = self._own(chat_id, message_id, "delete")
        if self.clock() - shown.sent > DELETABLE_SECONDS:
            raise bad("message can't be deleted for everyone")
        shown.deleted = True
        return True

    async def _delete_messages(self, chat_id: int, message_ids: list[int]) -> bool:
        if not 1 <= len(message_ids) <= 100:
            raise self._violated(f"deleteMessages: {len(message_ids)} messages")
        found = [shown for shown in self.visible(chat_id) if shown.id in message_ids]
        if any(self.clock() - shown.sent > DELETABLE_SECONDS for shown in found):
            raise bad("message can't be deleted for everyone")
        for shown in found:  # the others are passed over
            shown.deleted = True
        return True

    async def _send_chat_action(
        self, chat_id: int, action: str, message_thread_id: int | None = None
    ) -> bool:
        if action not in ACTIONS:
            raise self._violated(f"sendChatAction: {action}")
        self._check_chat(chat_id)
        # Telegram does not say whether these count. We assume that they do, as messages do.
        self._pay(chat_id)
        return True

    async def _send_message_draft(
        self,
        chat_id: int,
        draft_id: int,
        text: str = "",
        parse_mode: str | None = None,
        message_thread_id: int | None = None,
    ) -> bool:
        self._check_chat(chat_id)
        if chat_id < 0:
            raise self._violated("sendMessageDraft: drafts are for private chats")
        if draft_id == 0:
            raise self._violated("sendMessageDraft: draft_id must not be zero")
        plain = self._read_text(text, parse_mode, 4096)
        self._pay(chat_id)  # as an edit; Telegram does not say
        draft = Draft(draft_id, chat_id, plain, text, self.clock(), message_thread_id)
        self.drafts.append(draft)
        return True

    async def _answer_callback_query(
        self, callback_query_id: str, text: str = "", show_alert: bool = False
    ) -> bool:
        if callback_query_id not in self.presses or callback_query_id in self.answered_presses:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if _units(text) > 200:
            raise self._violated("answerCallbackQuery: text is too long")
        self.answered_presses[callback_query_id] = {"text": text, "alert": show_alert}
        return True

    async def _set_my_commands(
        self, commands: list[Json], scope: Json | None = None, language_code: str = ""
    ) -> bool:
        for command in commands:
            if not re.fullmatch("[a-z0-9_]{1,32}", command["command"]):
                raise self._violated(f"setMyCommands: {command['command']}")
            if not 1 <= len(command["description"]) <= 256:
                raise self._violated(f"setMyCommands: description of {command['command']}")
        if not 1 <= len(commands) <= 100 or len(json.dumps(commands, ensure_ascii=False)) > 7000:
            raise bad("BOT_COMMANDS_TOO_MUCH")
        self.menus[self._menu_key(scope, language_code)] = commands
        return True

    async def _delete_my_commands(self, scope: Json | None = None, language_code: str = "") -> bool:
        self.menus.pop(self._menu_key(scope, language_code), None)
        return True

    def _menu_key(self, scope: Json | None, language: str) -> tuple[str, str]:
        kind = (scope or {"type": "default"})["type"]
        if kind not in SCOPES or len(language) not in (0, 2):
            raise self._violated(f"a menu of {scope} in {language!r}")
        return kind, language

    def menu(self, language: str, *scopes: str) -> list[str]:
        """The commands that somebody is shown: of the first scope that has a menu for them."""
        for scope in (*scopes, "default"):
            for code in (language, ""):
                if (scope, code) in self.menus:
                    return [entry["command"] for entry in self.menus[scope, code]]
        return []

    async def _set_my_description(self, description: str = "", language_code: str = "") -> bool:
        if len(description) > 512:
            raise self._violated("setMyDescription: too long")
        return True

    async def _set_my_short_description(
        self, short_description: str = "", language_code: str = ""
    ) -> bool:
        if len(short_description) > 120:
            raise self._violated("setMyShortDescription: too long")
        return True

    # --- what all sending methods check ----------------------------------------------------------

    def _post(
        self,
        kind: str,
        chat_id: int,
        message_thread_id: int | None = None,
        reply_parameters: Json | None = None,
        reply_markup: Json | None = None,
        further: bool = False,
        **content: Any,
    ) -> Json:
        self._check_chat(chat_id)
        self._check_markup(reply_markup)
        reply = reply_parameters or {}
        if set(reply) - {"message_id", "allow_sending_without_reply"}:
            raise self._violated(f"reply_parameters: {reply}")
        self._pay(chat_id, further)
        self._last_message += 1
        shown = Shown(self._last_message, chat_id, kind, **content)
        shown.reply_to, shown.thread = reply.get("message_id"), message_thread_id
        shown.markup, shown.sent = reply_markup, self.clock()
        self.messages.append(shown)
        return self._json(shown)

    def _post_media(
        self,
        kind: str,
        upload: Upload,
        caption: str = "",
        parse_mode: str | None = None,
        **where: Any,
    ) -> Json:
        if len(upload.data) > 50 * 1024 * 1024:
            raise Refusal(413, "Request Entity Too Large")
        plain = self._read_text(caption, parse_mode, 1024) if caption else ""
        data, name = upload.data, upload.name
        return self._post(kind, text=plain, sent_html=caption, data=data, name=name, **where)

    def _check_chat(self, chat: int) -> None:
        if chat in self.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if chat not in self.known_chats:
            raise bad("chat not found")

    def _own(self, chat: int, message: int, purpose: str) -> Shown:
        for shown in self.visible(chat):
            if shown.id == message:
                return shown
        raise bad(f"message to {purpose} not found")

    def _read_text(
        self, text: str, parse_mode: str | None, longest: int, empty: str | None = None
    ) -> str:
        """The text without its markup, checked as Telegram does."""
        if parse_mode not in (None, "HTML"):
            raise self._violated(f"parse_mode {parse_mode}")
        plain = read_html(text) if parse_mode else text
        if re.search("[\x00-\x08\x0b-\x1f\ud800-\udfff]", plain):
            raise self._violated(f"control characters in {plain!r}")
        if empty and not plain.strip():
            raise bad(empty)
        if _units(plain) > longest:
            reason = "message is too long" if longest == 4096 else "message caption is too long"
            raise self._violated(reason)
        if parse_mode and re.search(r"@\w", re.sub("<pre>.*?</pre>", "", text, flags=re.DOTALL)):
            raise self._violated(f"a mention that would ping: {plain!r}")
        return plain.strip()

    def _check_photo(self, photo: Upload) -> None:
        if len(photo.data) > 10 * 1024 * 1024:
            raise bad("file is too big for a photo")
        try:
            with Image.open(io.BytesIO(photo.data)) as picture:
                width, height = picture.size
                picture.load()
        except OSError:
            raise bad("IMAGE_PROCESS_FAILED") from None
        if width + height > 10_000 or max(width, height) > 20 * min(width, height):
            raise bad("PHOTO_INVALID_DIMENSIONS")

    def _check_markup(self, markup: Json | None, *, inline_only: bool = False) -> None:
        if markup is None:
            return
        if "force_reply" in markup and not inline_only:
            return
        if set(markup) != {"inline_keyboard"}:
            raise self._violated(f"reply_markup: {markup}")
        for button in (button for row in markup["inline_keyboard"] for button in row):
            if len(set(button) & {"callback_data", "url"}) != 1 or not button["text"].strip():
                raise self._violated(f"button: {button}")
            if not 1 <= len(button.get("callback_data", "-").encode()) <= 64:
                raise self._violated(f"BUTTON_DATA_INVALID: {button}")

    def _pay(self, chat: int, further: bool = False) -> None:
        """Telegram's flood limits, as far as they are known, without its tolerance.

        30 a second in all; in a group 20 within a minute; in a private chat one a second, and a
        few at once. An album of ten is taken at once in private: its `further` photos count only
        among all.
        """
        now = self.clock()
        of_chat = (chat, 60.0, 20) if chat < 0 else (chat, 6.0, 9)
        budgets = [(0, 1.0, 30)] if further else [(0, 1.0, 30), of_chat]
        for key, span, most in budgets:
            sent = self._sent_at[key]
            while sent and sent[0] <= now - span:
                sent.popleft()
            if len(sent) >= most:
                flood = f"flood: {most + 1} messages in {span:g} s to {key or 'all'}"
                if not self.refuses_floods:
                    raise self._violated(flood)
                self.too_many.append(flood)
                raise too_many(math.ceil(sent[0] + span - now))
        for key, _, _ in budgets:
            self._sent_at[key].append(now)

    def _json(self, shown: Shown) -> Json:
        message: Json = {
            "message_id": shown.id,
            "date": 1_790_000_000,
            "from": BOT,
            "chat": {"id": shown.chat, "type": "supergroup" if shown.chat < 0 else "private"},
        }
        if shown.kind == "text":
            message["text"] = shown.text
        if shown.kind == "photo":
            file_id = self.store(shown.data)
            size = {"file_id": file_id, "file_unique_id": "u", "width": 640, "height": 480}
            message["photo"] = [size]
        if shown.buttons:
            message["reply_markup"] = shown.markup
        if shown.thread:
            message |= {"message_thread_id": shown.thread, "is_topic_message": True}
        return message


@dataclass(frozen=True)
class Person:
    """Somebody in this world; their id is also that of their private chat."""

    id: int
    name: str = "Ada"
    language: str | None = "en"

    def json(self) -> Json:
        person: Json = {"id": self.id, "is_bot": False, "first_name": self.name}
        return person | ({"language_code": self.language} if self.language else {})

    def chat_json(self, chat: int) -> Json:
        if chat < 0:
            return {"id": chat, "type": "supergroup", "title": "Workshop"}
        return {"id": chat, "type": "private", "first_name": self.name}


@dataclass(frozen=True)
class Upload:
    """An uploaded file."""

    data: bytes
    name: str


# --- markup --------------------------------------------------------------------------------------

_TAGS = {"b", "i", "u", "s", "code", "pre", "blockquote", "a"}
_PART = re.compile(r"<(/?)([a-z-]+)((?: [a-z-]+(?:=\"[^\"<>]*\")?)*)>|([<>])|([^<>]+)", re.DOTALL)


def read_html(text: str) -> str:
    """The plain text of Telegram's HTML. Raises `Refusal` as the server does, or sooner."""
    plain, opened = [], []
    for closing, tag, _, stray, words in _PART.findall(text):
        if stray or (tag and tag not in _TAGS):
            raise bad(f"can't parse entities: unsupported start tag at {stray or tag!r}")
        if words:
            if re.search(r"&(?!(?:lt|gt|amp|quot|#\d+);)", words):
                raise bad("can't parse entities: a bare ampersand")
            plain.append(html.unescape(words))
        elif not closing:
            opened.append(tag)
        elif not opened or opened.pop() != tag:
            raise bad(f"can't parse entities: unexpected end tag {tag}")
    if opened:
        raise bad(f"can't parse entities: {opened[-1]} is never closed")
    return "".join(plain)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# --- the two ways to reach it --------------------------------------------------------------------


@asynccontextmanager
async def serve(world: World) -> AsyncIterator[str]:
    """The world behind HTTP on loopback, bringing updates; gives the base address."""

    async def method(request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return _answer(Refusal(401, "Unauthorized"))
        form = await request.post()
        raw = {name: value for name, value in form.items() if isinstance(value, str)}
        files = {
            name: Upload(value.file.read(), value.filename)
            for name, value in form.items()
            if isinstance(value, web.FileField)
        }
        try:
            result = await world.call(request.match_info["method"], raw, files)
        except Refusal as refusal:
            return _answer(refusal)
        except ErrorPage:
            page = f"<html>The address {request.url} was not found on this server.</html>"
            return web.Response(status=404, text=page, content_type="text/html")
        except Dropped:
            assert request.transport is not None
            request.transport.abort()
            raise
        return web.json_response(result)

    async def file(request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return _answer(Refusal(401, "Unauthorized"))
        try:
            return web.Response(body=world.download(request.match_info["path"]))
        except Refusal as refusal:
            return _answer(refusal)

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/bot{token}/{method}", method)
    app.router.add_get("/file/bot{token}/{path:.+}", file)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    delivering = asyncio.create_task(world.deliver())
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}"
    finally:
        delivering.cancel()
        with suppress(asyncio.CancelledError):
            await delivering
        await runner.cleanup()


def _answer(refusal: Refusal) -> web.Response:
    return web.json_response(refusal.body, status=refusal.code)


class WorldRequest(BaseRequest):
    """The client's transport, straight into a world: no network."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def read_timeout(self) -> float | None:
        return 5.0

    async def initialize(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kw: Any
    ) -> tuple[int, bytes]:
        where = re.fullmatch(r"https://api\.telegram\.org(/file)?/bot([^/]+)/(.+)", unquote(url))
        assert where, url
        try:
            if where[2] != TOKEN:
                raise Refusal(401, "Unauthorized")
            if where[1]:
                return 200, self._world.download(where[3])
            raw = request_data.json_parameters if request_data else {}
            uploads = request_data.multipart_data if request_data else {}
            files = {name: Upload(bytes(part[1]), part[0]) for name, part in uploads.items()}
            return 200, json.dumps(await self._world.call(where[3], raw, files)).encode()
        except Refusal as refusal:
            return refusal.code, json.dumps(refusal.body).encode()


__all__ = [
    "BOT",
    "TOKEN",
    "Draft",
    "Dropped",
    "ErrorPage",
    "Person",
    "Refusal",
    "Shown",
    "World",
    "WorldRequest",
    "bad",
    "serve",
    "too_many",
]
