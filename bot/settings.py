"""Configuration: `config.toml`, overridden by the environment; secrets from the environment only.

The keys stand in `config.toml` with their defaults and reasons. An environment variable overrides a
key: `TADIM_WEB__PORT=9000`. Unknown keys and bad values are refused with their place, be it the
file, a variable or a line of `.env`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The configuration cannot be used; the text names each key and what is wrong with it."""


def _device(value: str) -> str:
    devices = devices_of(value)
    if not all(re.fullmatch(r"cpu|mps|cuda(:\d+)?", device, re.ASCII) for device in devices):
        raise ValueError('use "auto", "cpu", "mps", "cuda", "cuda:1", or a list: "cuda:0,cuda:1"')
    if len(set(devices)) < len(devices):
        raise ValueError("a device is named twice; `workers` says how many workers there are")
    return value


def devices_of(value: str) -> tuple[str, ...]:
    """The devices that the setting inference.device names; none for "auto"."""
    if value.strip() == "auto":
        return ()
    return tuple(device.strip() for device in value.split(","))


def _network(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise ValueError('use an IP address or a network such as "10.0.0.0/8"') from None
    return value


def _person(value: str) -> str:
    if not re.fullmatch(r"(discord|telegram):\d{1,20}", value, re.ASCII):
        raise ValueError('use "discord:ID" or "telegram:ID"; /privacy tells people their own')
    return value


#: the ports of a webhook; Telegram calls no other
WEBHOOK_PORTS = (443, 80, 88, 8443)


def _webhook(value: str) -> str:
    if value and not _can_be_called(value):
        raise ValueError(
            'use an https address that Telegram can reach, as in "https://bot.example.org"; '
            f"port {', '.join(map(str, WEBHOOK_PORTS[:-1]))} or {WEBHOOK_PORTS[-1]}"
        )
    return value.rstrip("/")


def _can_be_called(url: str) -> bool:
    """Whether this may be the beginning of a webhook's address."""
    if not re.fullmatch(r"[!-~]{1,200}", url, re.ASCII):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:  # a port that is none, a bracket that is never closed
        return False
    named = "." in (parts.hostname or "")  # Telegram's servers know no host of this network
    bare = not {"?", "#", "@"} & set(url)
    return parts.scheme == "https" and named and bare and port in WEBHOOK_PORTS


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(_Section):
    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8420, ge=0, le=65535)
    upload_megabytes: int = Field(20, ge=1, le=200)
    uploads_held_megabytes: int = Field(256, ge=1)
    picture_minutes: int = Field(60, ge=1)
    proxies: list[Annotated[str, AfterValidator(_network)]] = []


class Telegram(_Section):
    webhook: Annotated[str, AfterValidator(_webhook)] = ""


class Inference(_Section):
    profile: Literal["embedded", "full"] = "embedded"
    device: Annotated[str, AfterValidator(_device)] = "auto"
    text_model: Literal["auto", "embedded", "embedded-large", "full"] = "auto"
    memory_megabytes: int = Field(0, ge=0)
    engine: Literal["process", "ray"] = "process"
    ray_address: str = ""
    workers: int = Field(0, ge=0, le=4096)
    threads: int = Field(0, ge=0, le=1024)
    waiting_limit: int = Field(1000, ge=1)
    waiting_limit_chat: int = Field(400, ge=1)
    waiting_limit_user: int = Field(20, ge=1)
    held_megabytes: int = Field(512, ge=1)
    cached_results: int = Field(256, ge=0)


class StoreSettings(_Section):
    url: str = ""


class SafetySettings(_Section):
    enabled: bool = True
    threshold: float = Field(0.5, gt=0, le=1)


class WeightsSettings(_Section):
    folder: str = ""
    mirror: str = ""
    pins: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}


def _no_empty_secret(value: Any) -> Any:
    """`DISCORD_TOKEN=` in a file means that there is none."""
    return None if isinstance(value, str) and not value.strip() else value


_Secret = Annotated[SecretStr | None, BeforeValidator(_no_empty_secret)]


class _Keys(_Section):
    """All that can be set, wherever it comes from."""

    language: Literal["tr", "en"] = "tr"
    data_folder_setting: str = Field(
        "", validation_alias=AliasChoices("data_folder", "TADIM_DATA_FOLDER")
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["text", "json"] = "text"
    source: str = ""
    admins: list[Annotated[str, AfterValidator(_person)]] = []
    web: Web = Web()
    telegram: Telegram = Telegram()
    inference: Inference = Inference()
    store: StoreSettings = StoreSettings()
    weights: WeightsSettings = WeightsSettings()
    safety: SafetySettings = SafetySettings()

    discord_token: _Secret = Field(None, validation_alias="DISCORD_TOKEN")
    telegram_token: _Secret = Field(None, validation_alias="TELEGRAM_TOKEN")
    web_token: _Secret = Field(None, validation_alias="TADIM_WEB_TOKEN")


_PREFIX = "TADIM_"
_TOKENS = ("DISCORD_TOKEN", "TELEGRAM_TOKEN", "TADIM_WEB_TOKEN")
_TABLES = ("web", "telegram", "inference", "store", "weights", "safety")
_PLAIN = ("language", "data_folder", "log_level", "log_format", "source", "admins", "web_token")

#: what else is read from the environment: here, and by the tests
_OTHERS = (
    "TADIM_CONFIG",
    "TADIM_TEST_WEIGHTS",
    "TADIM_TEST_POSTGRES",
    "TADIM_REQUIRE_WEIGHTS",
    "TADIM_REQUIRE_BROWSER",
    "TADIM_SCREENSHOTS",
)


def _is_ours(variable: str) -> bool:
    return variable.upper().startswith(_PREFIX) or variable.upper() in _TOKENS


def _is_known(variable: str) -> bool:
    """Whether a variable of ours names a key or a table; the table's keys are not looked at."""
    if variable.upper() in _TOKENS:
        return True
    key, _, rest = variable.lower().removeprefix(_PREFIX.lower()).partition("__")
    return key in _TABLES or (key in _PLAIN and not rest)


class _Environment(EnvSettingsSource):
    """The environment's variables; those of other programs are none of our business."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        variables = super()._load_env_vars()
        return {name: value for name, value in variables.items() if _is_ours(name)}


class _DotEnv(DotEnvSettingsSource):
    """A `.env` file's lines; it may be shared with other programs too."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        variables = super()._load_env_vars()
        return {name: value for name, value in variables.items() if _is_ours(name)}

    def __call__(self) -> dict[str, Any]:
        return {
            name: value for name, value in super().__call__().items() if name not in self.unknown
        }

    @property
    def unknown(self) -> list[str]:
        """Variables that look like ours and name no key."""
        return [name for name in self.env_vars if not _is_known(name)]


class Settings(_Keys, BaseSettings):
    """The keys from all their sources. Build it by `load()`, which gives readable errors."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="forbid",
        frozen=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        # `dotenv_settings` knows whether a caller wants another file, or none.
        assert isinstance(dotenv_settings, DotEnvSettingsSource)
        dotenv = _DotEnv(settings_cls, env_file=dotenv_settings.env_file)
        return init_settings, _Environment(settings_cls), dotenv, toml

    @property
    def data_folder(self) -> Path:
        if self.data_folder_setting:
            return Path(self.data_folder_setting).expanduser().resolve()
        return user_data_path("tadim", appauthor=False)

    @property
    def weights_folder(self) -> Path:
        if self.weights.folder:
            return Path(self.weights.folder).expanduser().resolve()
        return self.data_folder / "weights"

    @property
    def database_url(self) -> str:
        return self.store.url or f"sqlite:///{self.data_folder / 'tadim.sqlite3'}"


def config_file() -> Path:
    """`TADIM_CONFIG`, else `config.toml` of the working directory, else the one shipped."""
    named = os.environ.get("TADIM_CONFIG")
    if named:
        return Path(named)
    here = Path("config.toml")
    return here if here.is_file() else _ROOT / "config.toml"


#: pydantic's kinds of mistakes whose texts speak of Python
_PLAINLY = {"extra_forbidden": "unknown key", "model_type": "a table is expected"}


def load() -> Settings:
    """Read the configuration.

    Raises:
        SettingsError: with one line per mistake, each naming its place and its key.
    """
    if os.environ.get("TADIM_CONFIG") and not config_file().is_file():
        raise SettingsError(f"TADIM_CONFIG: {config_file()} is not a file")
    # Each source by itself: once they are merged, nobody can tell who made a mistake.
    mistakes = [*_in_environment(), *_in_dotenv(), *_in_file(config_file())]
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    settings = Settings()
    if settings.telegram.webhook and not settings.web.enabled:
        raise SettingsError(
            "telegram.webhook: Telegram's updates come through the web server, which "
            "web.enabled = false switches off: switch it on, or leave telegram.webhook empty"
        )
    return settings


def _in_environment() -> Iterator[str]:
    """The environment's mistakes, each naming its variable."""
    try:
        source = _Environment(Settings)
        values = source()
    except ValueError as error:  # JSON is expected for a whole table, and it is not
        yield f"environment: {error}"
        return
    for name in source.env_vars:
        if not _is_known(name) and name.upper() not in _OTHERS:
            yield f"{name.upper()}: unknown key"
    for place, text in _mistakes(values):
        yield f"{_variable(place, source.env_vars)}: {text}"


def _in_dotenv() -> Iterator[str]:
    """The mistakes of the `.env` file, each naming its variable."""
    try:
        source = _DotEnv(Settings)
        values = source()
    except (ValueError, OSError) as error:
        yield f".env: {error}"
        return
    for name in source.unknown:
        other = name.upper() in _OTHERS
        text = "is read from the environment, not from this file" if other else "unknown key"
        yield f".env: {name.upper()}: {text}"
    for place, text in _mistakes(values):
        yield f".env: {_variable(place, source.env_vars)}: {text}"


def _in_file(path: Path) -> Iterator[str]:
    """The mistakes of the TOML file, each naming its key. It has types, so they must be right."""
    try:
        values = TomlConfigSettingsSource(Settings, toml_file=path)()
    except (ValueError, OSError) as error:
        yield f"{path}: {error}"
        return
    for name in filter(_is_ours, values):
        yield f"{path}: {name}: belongs into the environment or a .env file"
    keys = {name: value for name, value in values.items() if not _is_ours(name)}
    for place, text in _mistakes(keys, strict=True):
        yield f"{path}: {'.'.join(place)}: {text}"


def _mistakes(
    values: Mapping[str, Any], strict: bool = False
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each wrong value's place, from table to key, and what is wrong; never the value itself."""
    try:
        _Keys.model_validate(values, strict=strict)
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_url=False):
            text = _PLAINLY.get(mistake["type"], mistake["msg"])
            yield tuple(str(part) for part in mistake["loc"]), text


def _variable(place: tuple[str, ...], variables: Mapping[str, str | None]) -> str:
    """The variable that set a place: TADIM_WEB__PORT, or TADIM_WEB for the whole table."""
    name = "__".join(place).upper()
    if not _is_ours(name):
        name = _PREFIX + name
    found = name
    while found.lower() not in variables and "__" in found:
        found = found.rpartition("__")[0]
    return found if found.lower() in variables else name
