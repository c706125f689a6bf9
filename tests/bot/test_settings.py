"""Configuration: what is accepted, and that mistakes are named with their place."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, config_file, devices_of, load

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
    keys = set(Settings.model_fields) - {"discord_token", "telegram_token", "web_token"}
    assert set(shipped) == (keys - {"data_folder_setting"}) | {"data_folder"}


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


def mistakes() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load()
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("TADIM_WBE__PORT", "1", "unknown key"),
        ("TADIM_WEB__PROT", "1", "unknown key"),
        ("TADIM_PORT", "1", "unknown key"),
        ("TADIM_LANGUAGE__X", "tr", "unknown key"),
        ("TADIM_DISCORD_TOKEN", "x", "unknown key"),
        ("TADIM_WEB", "5", "a table is expected"),
        ("TADIM_WEB", '{"port": 99999}', "Input should be less than or equal to 65535"),
        ("TADIM_WEB__PORT", "99999", "Input should be less than or equal to 65535"),
        ("TADIM_LANGUAGE", "de", "Input should be 'tr' or 'en'"),
    ],
)
def test_a_mistake_in_the_environment_is_blamed_on_its_variable(
    clean: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, text: str
) -> None:
    (clean / ".env").write_text(f"{variable}='{value}'\n", encoding="utf-8")
    assert mistakes() == [f".env: {variable}: {text}"]
    (clean / ".env").unlink()
    monkeypatch.setenv(variable, value)
    assert mistakes() == [f"{variable}: {text}"]


def test_json_that_is_none_is_said(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TADIM_WEB", "{hunter2")
    [mistake] = mistakes()
    assert mistake.startswith("environment: ")
    assert '"web"' in mistake
    assert "hunter2" not in mistake


@pytest.mark.parametrize(
    "variable",
    [
        *("TADIM_TEST_WEIGHTS", "TADIM_TEST_POSTGRES", "TADIM_REQUIRE_WEIGHTS"),
        *("TADIM_REQUIRE_BROWSER", "TADIM_SCREENSHOTS", "TADIM_WEB_TOKEN"),
    ],
)
def test_variables_that_others_read_are_let_be(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    assert load().web.port == 8420


def test_a_variable_that_dotenv_cannot_set_is_not_ignored(clean: Path) -> None:
    (clean / ".env").write_text("TADIM_CONFIG=other.toml\n", encoding="utf-8")
    assert mistakes() == [".env: TADIM_CONFIG: is read from the environment, not from this file"]


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        ("auto", ()),
        ("cpu", ("cpu",)),
        ("mps", ("mps",)),
        ("cuda", ("cuda",)),
        ("cuda:0, cuda:13", ("cuda:0", "cuda:13")),
    ],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, value: str, devices: tuple[str, ...]) -> None:
    monkeypatch.setenv("TADIM_INFERENCE__DEVICE", value)
    assert devices_of(load().inference.device) == devices


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *((bad, "use ") for bad in ("", "gpu", "auto,cpu", "cuda:", "cuda:x", "cuda:0,", "cpu:1")),
        ("cuda:0,cuda:0", "named twice"),
    ],
)
def test_devices_that_are_none(monkeypatch: pytest.MonkeyPatch, value: str, why: str) -> None:
    monkeypatch.setenv("TADIM_INFERENCE__DEVICE", value)
    [mistake] = mistakes()
    assert mistake.startswith("TADIM_INFERENCE__DEVICE: ")
    assert why in mistake


def test_proxies_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TADIM_WEB__PROXIES", '["127.0.0.1", "10.0.0.0/8", "fd00::/8"]')
    assert load().web.proxies == ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
    monkeypatch.setenv("TADIM_WEB__PROXIES", '["proxy.example"]')
    [mistake] = mistakes()
    assert "use an IP address or a network" in mistake


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("", ""),
        ("https://bot.example.org", "https://bot.example.org"),
        ("https://bot.example.org:8443/", "https://bot.example.org:8443"),
        ("https://example.org/tadim/", "https://example.org/tadim"),
    ],
)
def test_a_webhook_s_address(monkeypatch: pytest.MonkeyPatch, address: str, kept: str) -> None:
    monkeypatch.setenv("TADIM_TELEGRAM__WEBHOOK", address)
    assert load().telegram.webhook == kept


@pytest.mark.parametrize(
    "address",
    [
        *("bot.example.org", "http://bot.example.org", "https://", "https://localhost"),
        *("https://bot.example.org:8420", "https://bot.example.org:port", "https://[::1"),
        *(
            "https://bot.example.org?a=1",
            "https://bot.example.org#a",
            "https://a:b@bot.example.org",
        ),
        *("https://bot.example.org/a b", "https://böt.example.org", "ftp://bot.example.org"),
    ],
)
def test_what_telegram_could_not_call(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("TADIM_TELEGRAM__WEBHOOK", address)
    [mistake] = mistakes()
    assert mistake.startswith("TADIM_TELEGRAM__WEBHOOK: Value error, use an https address")
    assert mistake.endswith("port 443, 80, 88 or 8443")


def test_a_webhook_needs_the_web_server(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "config.toml").write_text('[telegram]\nwebhook = "https://bot.example.org"\n')
    assert load().web.enabled
    monkeypatch.setenv("TADIM_WEB__ENABLED", "false")
    [mistake] = mistakes()
    assert mistake.startswith("telegram.webhook: ")
    assert "web.enabled" in mistake


def test_log_lines_for_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TADIM_LOG_FORMAT", "json")
    assert load().log_format == "json"
    monkeypatch.setenv("TADIM_LOG_FORMAT", "yaml")
    assert mistakes() == ["TADIM_LOG_FORMAT: Input should be 'text' or 'json'"]


def test_other_programs_variables_are_none_of_our_business(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_FOLDER", "/somebody/elses")
    (clean / ".env").write_text("data_folder=/somebody/elses\n", encoding="utf-8")
    assert load().data_folder_setting == ""


@pytest.mark.parametrize(
    ("toml", "mistake"),
    [
        ("web = 5", "web: a table is expected"),
        ("[web]\nport = true", "web.port: Input should be a valid integer"),
        ("[inference]\nthreads = true", "inference.threads: Input should be a valid integer"),
        ("[web]\nenabled = 1", "web.enabled: Input should be a valid boolean"),
        ("[web]\nprot = 1", "web.prot: unknown key"),
        (
            'DISCORD_TOKEN = "x"',
            "DISCORD_TOKEN: belongs into the environment or a .env file",
        ),
    ],
)
def test_the_file_is_judged_by_itself(
    clean: Path, monkeypatch: pytest.MonkeyPatch, toml: str, mistake: str
) -> None:
    (clean / "config.toml").write_text(toml + "\n", encoding="utf-8")
    monkeypatch.setenv("TADIM_WEB__PORT", "9001")
    assert mistakes() == [f"config.toml: {mistake}"]


def test_everything_may_come_from_the_environment(
    clean: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = "0" * 64
    monkeypatch.setenv("TADIM_WEB", '{"port": 1}')
    monkeypatch.setenv("TADIM_WEIGHTS__PINS", f'{{"a-b": "{pin}"}}')
    monkeypatch.setenv("TADIM_DATA_FOLDER", str(clean))
    (clean / ".env").write_text("TADIM_INFERENCE__THREADS=3\nTADIM_WEB__PORT=2\n")
    settings = load()
    assert settings.web.port == 1, "the environment comes before the file"
    assert settings.weights.pins == {"a-b": pin}
    assert settings.inference.threads == 3
    assert settings.data_folder == clean


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
