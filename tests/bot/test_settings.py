"""Configuration: what is accepted, and that mistakes are named with their place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, config_file, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory without a configuration, an environment without our variables."""
    import os

    for name in list(os.environ):
        if name.startswith("TADIM_") or name in ("DISCORD_TOKEN", "TELEGRAM_TOKEN"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_shipped_file_holds_every_key_with_its_default() -> None:
    shipped = tomllib.loads((ROOT / "config.toml").read_text(encoding="utf-8"))
    defaults = Settings.model_construct()
    for key, value in shipped.items():
        if isinstance(value, dict):
            section = getattr(defaults, key)
            assert value == section.model_dump(), key
        else:
            field = "data_folder_setting" if key == "data_folder" else key
            assert value == getattr(defaults, field), key
    sections = {"web", "inference", "store", "weights"}
    assert set(shipped) == sections | {"language", "data_folder", "log_level", "source"}


def test_every_key_of_the_shipped_file_has_its_reason() -> None:
    for line in (ROOT / "config.toml").read_text(encoding="utf-8").splitlines():
        if re.match(r"\w+ = ", line):
            assert re.search(r"#\s*\S", line), line


def test_the_environment_overrides_the_file(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "config.toml").write_text("[web]\nport = 9000\n", encoding="utf-8")
    assert load().web.port == 9000
    monkeypatch.setenv("TADIM_WEB__PORT", "9001")
    assert load().web.port == 9001


def test_all_mistakes_are_named_with_their_place(clean: Path) -> None:
    (clean / "config.toml").write_text(
        'langauge = "tr"\n[web]\nport = 99999\nprot = 1\n[inference]\ndevice = "gpu"\n',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as caught:
        load()
    text = str(caught.value)
    for place in ("config.toml", "langauge", "web.port", "web.prot", "inference.device"):
        assert place in text


def test_a_file_that_is_no_toml_is_named(clean: Path) -> None:
    (clean / "config.toml").write_text("language =\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"config\.toml"):
        load()


def test_a_named_file_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TADIM_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load()


def test_secrets_come_from_a_dotenv_file_and_are_never_shown(clean: Path) -> None:
    (clean / ".env").write_text(
        "TELEGRAM_TOKEN=123456:secret\nSOMEBODY_ELSES=1\n", encoding="utf-8"
    )
    settings = load()
    assert settings.telegram_token is not None
    assert settings.telegram_token.get_secret_value() == "123456:secret"
    assert "secret" not in repr(settings) + str(settings)


def test_a_bad_value_of_a_secret_is_not_repeated(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TADIM_WEB__PORT", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_an_empty_token_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "")
    monkeypatch.setenv("TELEGRAM_TOKEN", "  ")
    assert load().discord_token is None
    assert load().telegram_token is None


def test_the_shipped_file_is_found_from_anywhere() -> None:
    assert config_file() == ROOT / "config.toml"
