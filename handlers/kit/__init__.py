"""What every handler is made of. `from handlers.kit import …` is all that a command file needs."""

from handlers.kit.errors import UserError
from handlers.kit.parameters import Choice, Range, Seed, Text
from handlers.kit.progress import waiting
from handlers.kit.registry import Command, command
from handlers.kit.reply import (
    Button,
    Code,
    Credit,
    File,
    Generated,
    Image,
    Note,
    Reply,
    Say,
)
from handlers.kit.request import Call, Picture, Request
from handlers.kit.safety import check_output, check_upload
from handlers.kit.services import Services
from locales import Label, Lines, Listing, Message

__all__ = [
    "Button",
    "Call",
    "Choice",
    "Code",
    "Command",
    "Credit",
    "File",
    "Generated",
    "Image",
    "Label",
    "Lines",
    "Listing",
    "Message",
    "Note",
    "Picture",
    "Range",
    "Reply",
    "Request",
    "Say",
    "Seed",
    "Services",
    "Text",
    "UserError",
    "check_output",
    "check_upload",
    "command",
    "waiting",
]
