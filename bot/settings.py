"""Configuration: `config.toml`, overridden by the environment; secrets from the environment only.

The keys stand in `config.toml` with their defaults and reasons. Unknown keys and bad values are
refused with their place. An environment variable overrides a key: `TADIM_WEB__PORT=9000`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

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
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

_ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """The configuration cannot be used; the text names each key and what is wrong with it."""


def _device(value: str) -> str:
    kind, _, index = value.partition(":")
    if kind not in ("auto", "cpu", "cuda", "mps") or (index and not index.isdigit()):
        raise ValueError('use "auto", "cpu", "mps", "cuda" or "cuda:1"')
    return value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(_Section):
    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(8420, ge=0, le=65535)
    upload_megabytes: int = Field(20, ge=1, le=200)
    uploads_held_megabytes: int = Field(256, ge=1)
    picture_minutes: int = Field(60, ge=1)


class Inference(_Section):
    profile: Literal["embedded", "full"] = "embedded"
    device: Annotated[str, AfterValidator(_device)] = "auto"
    text_model: Literal["auto", "embedded", "embedded-large", "full"] = "auto"
    threads: int = Field(0, ge=0, le=1024)
    waiting_limit: int = Field(1000, ge=1)
    waiting_limit_user: int = Field(20, ge=1)
    cached_results: int = Field(256, ge=0)


class StoreSettings(_Section):
    url: str = ""


class WeightsSettings(_Section):
    folder: str = ""
    mirror: str = ""
    pins: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = {}


class _OwnLines(DotEnvSettingsSource):
    """A `.env` file may be shared with other programs: their variables are none of our business.

    Ours that no key has are kept, to be refused by name.
    """

    def __call__(self) -> dict[str, Any]:
        known = {*_TOKENS, *Settings.model_fields, "data_folder"}
        return {
            name: value
            for name, value in super().__call__().items()
            if name in known or name.lower().startswith("tadim_")
        }


def _no_empty_secret(value: Any) -> Any:
    """`DISCORD_TOKEN=` in a file means that there is none."""
    return None if isinstance(value, str) and not value.strip() else value


_Secret = Annotated[SecretStr | None, BeforeValidator(_no_empty_secret)]
_TOKENS = ("DISCORD_TOKEN", "TELEGRAM_TOKEN", "TADIM_WEB_TOKEN")


class Settings(BaseSettings):
    """All that can be set. Build it by `load()`, which gives readable errors."""

    model_config = SettingsConfigDict(
        env_prefix="TADIM_",
        env_nested_delimiter="__",
        env_file=".env",
        env_file_encoding="utf-8",
        extra="forbid",
        frozen=True,
    )

    language: Literal["tr", "en"] = "tr"
    data_folder_setting: str = Field(
        "", validation_alias=AliasChoices("data_folder", "TADIM_DATA_FOLDER")
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    source: str = ""
    web: Web = Web()
    inference: Inference = Inference()
    store: StoreSettings = StoreSettings()
    weights: WeightsSettings = WeightsSettings()

    discord_token: _Secret = Field(None, validation_alias="DISCORD_TOKEN")
    telegram_token: _Secret = Field(None, validation_alias="TELEGRAM_TOKEN")
    web_token: _Secret = Field(None, validation_alias="TADIM_WEB_TOKEN")

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
        return init_settings, env_settings, _OwnLines(settings_cls), toml

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
        return self.store.url or f"sqlite+aiosqlite:///{self.data_folder / 'tadim.sqlite3'}"


def config_file() -> Path:
    """`TADIM_CONFIG`, else `config.toml` of the working directory, else the one shipped."""
    named = os.environ.get("TADIM_CONFIG")
    if named:
        return Path(named)
    here = Path("config.toml")
    return here if here.is_file() else _ROOT / "config.toml"


def load() -> Settings:
    """Read the configuration.

    Raises:
        SettingsError: with one line per mistake, each naming its key.
    """
    if os.environ.get("TADIM_CONFIG") and not config_file().is_file():
        raise SettingsError(f"TADIM_CONFIG: {config_file()} is not a file")
    try:
        return Settings()
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in mistake['loc'])}: {mistake['msg']}"
            for mistake in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join([f"{config_file()}:", *lines])) from None
    except ValueError as error:  # not TOML at all
        raise SettingsError(f"{config_file()}: {error}") from None
