"""`tadim doctor` and `tadim pull`: what they find, what they say, and what they must not show."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from bot import cli, doctor, pull
from bot.doctor import Finding, Mark
from bot.settings import SafetySettings, Settings, load
from inference.tasks import all_tasks
from inference.weights import Manifest, WeightsError, WeightsStore
from locales import LANGUAGES, Message, words

APPLICATION = 1234567890123456789
DISCORD = base64.urlsafe_b64encode(str(APPLICATION).encode()).decode().rstrip("=")
DISCORD_TOKEN = f"{DISCORD}.GhIjKl.{'mNoPqRsTuV-wXyZ_0123456789' + 'a' * 12}"
TELEGRAM_TOKEN = f"9876501234:{'AAbbCCddEE_ffGGhhII-jjKKllMMnnOOppQ'}"

PROBED = {"gpus": [], "mps": False, "cores": 4, "ram": 16_000_000_000}
GPU = ["Some GPU", 8_000_000_000]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The shipped configuration, data in a folder of its own, no tokens."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TADIM_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.setenv("TADIM_LANGUAGE", "en")
    for name in ("DISCORD_TOKEN", "TELEGRAM_TOKEN", "TADIM_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    return load()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the torch subprocess will answer; the tests may change it."""
    import json

    facts = dict(PROBED)

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, f"a warning\n{json.dumps(facts)}\n", "")

    monkeypatch.setattr("subprocess.run", answer)
    return facts


@pytest.fixture
def no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU of this very machine gets in the way."""
    monkeypatch.setattr(doctor, "gpus_of_the_driver", list)


PutWeights = Callable[..., None]


@pytest.fixture
def put_weights(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> PutWeights:
    """Puts entries into the store; their pins are those of small files made here."""

    def put(*names: str) -> None:
        entries = dict(Manifest.shipped().entries)
        for name in names:
            content = f"the weights of {name}".encode()
            digest = hashlib.sha256(content).hexdigest()
            update = {"sha256": digest, "size": len(content)}
            entries[name] = entries[name].model_copy(update=update)
            path = settings.weights_folder / digest[:16] / entries[name].file
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        monkeypatch.setattr(Manifest, "shipped", lambda: Manifest(entries))

    return put


def damage(settings: Settings, name: str) -> Path:
    """Overwrite the first bytes of a file in the store; its size stays."""
    path = pull.open_store(settings).path(name)
    assert path is not None
    with path.open("r+b") as file:
        file.write(b"XXXX")
    return path


def by_subject(settings: Settings) -> dict[str, Finding]:
    say = words("en")
    return {say(finding.subject): finding for finding in doctor.check(settings)}


# --- doctor --------------------------------------------------------------------------------------


def test_everything_is_there(
    settings: Settings,
    put_weights: PutWeights,
    probe: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_weights(*needed(settings))
    assert doctor.run(settings) == 0
    printed = capsys.readouterr().out
    assert "✗" not in printed
    assert "Everything Tadım needs is here" in printed


def test_missing_weights_fail_and_name_the_command(
    settings: Settings,
    put_weights: PutWeights,
    probe: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_weights("yolo26n")
    assert doctor.run(settings) == 1
    printed = capsys.readouterr().out
    assert "tadim pull smollm2-135m-instruct" in printed
    assert "tadim pull yolo26n" not in printed


def test_damaged_weights_are_deleted_and_the_command_named(
    settings: Settings, put_weights: PutWeights
) -> None:
    put_weights(*needed(settings))
    path = damage(settings, "yolo26n")
    finding = by_subject(settings)["yolo26n"]
    assert finding.mark is Mark.BAD
    assert finding.found == Message("doctor-weights-damaged")
    assert finding.next_step == "tadim pull yolo26n"
    assert not path.exists()


def with_inference(settings: Settings, **changes: object) -> Settings:
    inference = settings.inference.model_copy(update=changes)
    return settings.model_copy(update={"inference": inference})


def test_a_wanted_device_that_is_not_there(
    settings: Settings, probe: dict[str, object], no_driver: None
) -> None:
    two = with_inference(settings, device="cuda:0,cuda:1")
    for gpus in ([], [GPU]):
        probe["gpus"] = gpus
        [device, _] = doctor.check_device(two)
        assert device.mark is Mark.BAD
    probe["gpus"] = [GPU, GPU]
    [device, memory] = doctor.check_device(two)
    assert device.mark is memory.mark is Mark.GOOD
    found = ["cuda:0 · Some GPU · 8.0 GB", "cuda:1 · Some GPU · 8.0 GB"]
    assert str(device.found).splitlines() == found
    [device, _] = doctor.check_device(with_inference(settings, device="mps"))
    assert device.mark is Mark.BAD


def test_a_clusters_devices_need_not_be_here(
    settings: Settings, probe: dict[str, object], no_driver: None
) -> None:
    [device, _] = doctor.check_device(with_inference(settings, device="cuda:7", engine="ray"))
    assert (device.mark, str(device.found)) == (Mark.GOOD, "cpu")


def test_gpus_that_torch_does_not_see(
    settings: Settings, probe: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "gpus_of_the_driver", lambda: ["nvidia0", "nvidia1"])
    [device, unseen, _] = doctor.check_device(settings)
    assert (device.mark, unseen.mark) == (Mark.GOOD, Mark.UNUSED)
    assert words("en")(unseen.found) == "The driver shows 2 NVIDIA GPUs, torch can use 0."
    probe["gpus"] = [GPU, GPU]
    assert len(list(doctor.check_device(settings))) == 2


@pytest.mark.parametrize(
    ("visible", "count"), [(None, 3), ("0,2", 2), ("", 0), ("-1", 0), ("GPU-5ebe,1", 2)]
)
def test_the_drivers_gpus_are_counted_without_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None, count: int
) -> None:
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert len(doctor.gpus_of_the_driver(tmp_path)) == count
    assert doctor.gpus_of_the_driver(tmp_path / "none") == []


# --- workers and their memory --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workers", "english", "turkish"),
    [
        (0, "for each kind of work one per device", "her iş türü için aygıt başına bir tane"),
        (1, "for each kind of work one", "her iş türü için 1 tane"),
        (3, "for each kind of work 3", "her iş türü için 3 tane"),
    ],
)
def test_where_the_workers_live(
    settings: Settings, workers: int, english: str, turkish: str
) -> None:
    finding = doctor.check_engine(with_inference(settings, workers=workers))
    assert words("en")(finding.found) == f"processes on this machine; {english}"
    assert words("tr")(finding.found) == f"bu makinede; {turkish}"


def test_ray_installed_or_not(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "ray" and not installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.60.0"

    installed = False
    monkeypatch.setattr("importlib.metadata.version", version)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    finding = doctor.check_engine(with_inference(settings, engine="ray"))
    assert finding.mark is Mark.BAD
    assert "uv sync --extra ray" in words("en")(finding.next_step)
    installed = True
    finding = doctor.check_engine(with_inference(settings, engine="ray"))
    assert "on this machine alone" in words("en")(finding.found)
    there = with_inference(settings, engine="ray", ray_address="10.0.0.5:6379")
    assert words("en")(doctor.check_engine(there).found) == "Ray 2.60.0, cluster at 10.0.0.5:6379"


def test_a_model_that_no_device_may_hold(settings: Settings) -> None:
    [finding] = doctor.check_budget(settings)
    assert (finding.mark, finding.found) == (Mark.GOOD, Message("doctor-budget-chosen"))
    full = with_inference(settings, profile="full", memory_megabytes=2000)
    budget, *too_large = doctor.check_budget(full)
    assert words("en")(budget.found) == "2 GB on each device"
    assert [finding.mark for finding in too_large] == [Mark.BAD] * len(too_large)
    assert "GPT-2 large needs 6.8 GB" in words("en")(too_large[-1].found)


def test_a_torch_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(
            1, "python", stderr="Traceback\nImportError: no libcuda"
        )

    monkeypatch.setattr("subprocess.run", fail)
    [device] = doctor.check_device(Settings())
    assert device.mark is Mark.BAD
    assert words("en")(device.found) == "torch does not start: ImportError: no libcuda"


def test_the_device_is_found_without_importing_torch_here() -> None:
    script = (
        "import sys; from bot import doctor; from bot.settings import Settings;"
        "print(*doctor.check_device(Settings()), sep='\\n');"
        "assert 'torch' not in sys.modules"
    )
    root = Path(doctor.__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True, timeout=120)


def test_a_package_that_is_not_installed() -> None:
    finding = doctor.check_package("no-such-package-of-tadim")
    assert finding.mark is Mark.BAD
    assert finding.next_step is not None


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    assert doctor.check_folder(tmp_path / "data").mark is Mark.BAD
    assert doctor.check_folder(tmp_path / "new").mark is Mark.GOOD


def test_too_little_space_for_the_missing_weights(
    settings: Settings, put_weights: PutWeights, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=300_000_000))
    assert Message("doctor-space") in [f.subject for f in doctor.check_weights(settings)]
    put_weights(*needed(settings))
    assert Message("doctor-space") not in [f.subject for f in doctor.check_weights(settings)]


def test_a_pin_that_fits_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, probe: dict[str, object]
) -> None:
    weights = settings.weights.model_copy(update={"pins": {"nothing": "0" * 64}})
    odd = settings.model_copy(update={"weights": weights})
    assert by_subject(odd)["Weights"].mark is Mark.BAD


def test_no_platform_at_all(settings: Settings, probe: dict[str, object]) -> None:
    off = settings.model_copy(update={"web": settings.web.model_copy(update={"enabled": False})})
    assert by_subject(off)["Platforms"].mark is Mark.BAD
    assert "Platforms" not in by_subject(settings)


# --- tokens --------------------------------------------------------------------------------------


def test_the_application_of_a_discord_token() -> None:
    assert doctor.discord_application(DISCORD_TOKEN) == APPLICATION


@pytest.mark.parametrize(
    "token",
    [
        "",
        "Bot " + DISCORD_TOKEN,
        DISCORD_TOKEN.replace(".", ":"),
        DISCORD_TOKEN.partition(".")[0],
        "a" * 26 + DISCORD_TOKEN[DISCORD_TOKEN.index(".") :],
        DISCORD_TOKEN + "\n",
        TELEGRAM_TOKEN,
    ],
)
def test_what_is_no_discord_token(token: str) -> None:
    assert doctor.discord_application(token) is None
    assert doctor.check_discord(SecretStr(token)).mark is Mark.BAD


def test_the_invitation_is_the_one_that_the_bot_itself_gives() -> None:
    from bot.discord.client import PERMISSIONS, invitation

    below = doctor.check_discord(SecretStr(DISCORD_TOKEN)).below
    assert below == Message("doctor-discord-invite", url=invitation(APPLICATION))
    asked = parse_qs(urlsplit(str(below.arguments["url"])).query)
    assert asked["client_id"] == [str(APPLICATION)]
    assert asked["permissions"] == [str(PERMISSIONS.value)]
    assert "applications.commands" in asked["scope"][0]


def test_without_discord_the_doctor_does_not_load_it() -> None:
    script = (
        "import sys; from bot import doctor; doctor.check_discord(None);"
        "assert not {'discord', 'telegram'} & set(sys.modules)"
    )
    root = Path(doctor.__file__).resolve().parents[1]
    subprocess.run([sys.executable, "-c", script], cwd=root, check=True, timeout=120)


@pytest.mark.parametrize("token", ["", "123:abc", TELEGRAM_TOKEN[:-1], TELEGRAM_TOKEN + " "])
def test_what_is_no_telegram_token(token: str) -> None:
    assert doctor.check_telegram(SecretStr(token)).mark is Mark.BAD


def test_absent_tokens_are_no_failure() -> None:
    assert doctor.check_discord(None).mark is Mark.UNUSED
    assert doctor.check_telegram(None).mark is Mark.UNUSED


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_token_is_ever_shown(
    settings: Settings,
    probe: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    language: str,
) -> None:
    for discord_token, telegram_token in (
        (DISCORD_TOKEN, TELEGRAM_TOKEN),
        (DISCORD_TOKEN[:-20], TELEGRAM_TOKEN[:-3]),
    ):
        update = {
            "language": language,
            "discord_token": SecretStr(discord_token),
            "telegram_token": SecretStr(telegram_token),
        }
        doctor.run(settings.model_copy(update=update))
        printed = capsys.readouterr().out
        for secret in (*discord_token.split("."), *telegram_token.split(":")):
            assert secret not in printed


@pytest.mark.parametrize(
    ("language", "hint"), [("en", "Leave “Edit Commands” alone"), ("tr", "dokunma")]
)
def test_what_is_to_be_clicked_is_printed_in_one_piece(
    settings: Settings,
    probe: dict[str, object],
    capsys: pytest.CaptureFixture[str],
    language: str,
    hint: str,
) -> None:
    from bot.discord.client import invitation

    tokens = {
        "discord_token": SecretStr(DISCORD_TOKEN),
        "telegram_token": SecretStr(TELEGRAM_TOKEN),
    }
    doctor.run(settings.model_copy(update={"language": language, **tokens}))
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith(invitation(APPLICATION)) for line in lines)
    assert any("@BotFather" in line and "Group Privacy" in line and hint in line for line in lines)


# --- Telegram's updates --------------------------------------------------------------------------


def test_how_telegram_s_updates_arrive(
    settings: Settings, probe: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Telegram updates" not in by_subject(settings), "without a token there are none"
    monkeypatch.setenv("TELEGRAM_TOKEN", TELEGRAM_TOKEN)
    polling = by_subject(load())["Telegram updates"]
    assert (polling.mark, polling.found) == (Mark.GOOD, Message("doctor-telegram-polling"))
    monkeypatch.setenv("TADIM_TELEGRAM__WEBHOOK", "https://example.org/tadim/")
    webhook = by_subject(load())["Telegram updates"]
    assert webhook.mark is Mark.GOOD
    for language in LANGUAGES:
        said = words(language)(webhook.found)
        assert "https://example.org/tadim/telegram/…" in said
        assert " 8420" in said
    monkeypatch.setenv("TADIM_WEB__PORT", "0")
    lost = by_subject(load())["Telegram updates"]
    assert lost.mark is Mark.BAD
    assert "web.port" in words("en")(lost.next_step)


def test_the_doctor_names_a_webhook_that_telegram_cannot_call(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TADIM_TELEGRAM__WEBHOOK", "https://bot.example.org:8420")
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor"])
    assert ended.value.code not in (0, None)
    assert "TADIM_TELEGRAM__WEBHOOK" in capsys.readouterr().err + str(ended.value.code)


# --- pull ----------------------------------------------------------------------------------------


def needed(settings: Settings) -> list[str]:
    return pull.needed_weights(settings, pull.open_store(settings))


def test_needed_weights_come_from_the_tasks(settings: Settings) -> None:
    offered = [task for task in all_tasks().values() if task.offered("embedded")]
    expected = {name for task in offered for name in task.variant("embedded").weights}
    assert set(needed(settings)) == expected
    assert {"yolo26n", "smollm2-135m-instruct"} <= expected


def test_without_the_picture_check_its_weights_are_not_needed(settings: Settings) -> None:
    off = settings.model_copy(update={"safety": SafetySettings(enabled=False)})
    assert set(needed(settings)) - set(needed(off)) == {"opennsfw"}


def test_the_picture_check_is_told_of(settings: Settings) -> None:
    say = words("en")
    finding = doctor.check_safety(settings)
    assert finding.mark is Mark.GOOD
    assert say(finding.found) == "on; refused from a score of 0.5"
    off = settings.model_copy(update={"safety": SafetySettings(enabled=False)})
    finding = doctor.check_safety(off)
    assert finding.mark is Mark.UNUSED
    assert "unchecked" in say(finding.found)
    assert "safety.enabled" in say(finding.next_step)


SMALL_TEXT, LARGE_TEXT = "smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct"


def test_the_text_model_setting_changes_what_is_needed(settings: Settings) -> None:
    large = needed(with_inference(settings, text_model="embedded-large"))
    assert LARGE_TEXT in large
    assert SMALL_TEXT not in large


def test_what_is_pulled_is_what_counts_where_nobody_chose(
    settings: Settings, put_weights: PutWeights, probe: dict[str, object]
) -> None:
    """doctor and pull look at the very text model that will answer."""
    assert SMALL_TEXT in by_subject(settings)
    put_weights(LARGE_TEXT)
    assert LARGE_TEXT in needed(settings)
    assert SMALL_TEXT not in needed(settings)
    found = by_subject(settings)
    assert found[LARGE_TEXT].mark is Mark.GOOD
    assert SMALL_TEXT not in found
    assert SMALL_TEXT in needed(with_inference(settings, text_model="embedded"))


def test_the_full_profile_names_what_the_hub_will_send(settings: Settings) -> None:
    full = with_inference(settings, profile="full")
    assert "yolo26x" in needed(full)
    assert "GPT-2 large" in pull.hub_checkpoints(full, pull.open_store(full))


def test_pull_says_what_was_here_already(
    settings: Settings, put_weights: PutWeights, capsys: pytest.CaptureFixture[str]
) -> None:
    put_weights("yolo26n")
    assert pull.run(["yolo26n"], False, settings) == 0
    assert "yolo26n was here already" in capsys.readouterr().out


def test_pull_replaces_what_is_damaged(
    settings: Settings,
    put_weights: PutWeights,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put_weights("yolo26n")
    store = pull.open_store(settings)
    stick = tmp_path / "stick"
    stick.mkdir()
    shutil.copy(str(store.path("yolo26n")), stick)
    path = damage(settings, "yolo26n")
    weights = settings.weights.model_copy(update={"mirror": str(stick)})

    assert pull.run(["yolo26n"], False, settings.model_copy(update={"weights": weights})) == 0

    assert path.read_bytes() == b"the weights of yolo26n"
    printed = " ".join(capsys.readouterr().out.split())
    assert "! The file of yolo26n was damaged" in printed
    assert "✓ yolo26n is here" in printed


def test_pull_from_a_local_folder_and_what_it_does_not_hold(
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "held.bin").write_bytes(b"weights")
    entry = {"title": "t", "licence": "CC0-1.0", "sha256": hashlib.sha256(b"weights").hexdigest()}
    absent = entry | {"file": "absent.bin", "sha256": "0" * 64}
    manifest = Manifest.parse({"held": entry | {"file": "held.bin"}, "absent": absent})
    monkeypatch.setattr(Manifest, "shipped", lambda: manifest)
    weights = settings.weights.model_copy(update={"mirror": str(stick)})
    configured = settings.model_copy(update={"weights": weights})

    assert pull.run(["absent", "held"], False, configured) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "✗ The weights “absent” are no longer where they are supposed to be" in printed
    assert "✓ held is here" in printed
    assert pull.run([], True, configured) == 1  # --all: everything in the manifest
    assert pull.run(["held"], False, configured) == 0


def test_pull_suggests_names(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert pull.run(["yolo26"], False, settings) == 1
    printed = capsys.readouterr().out
    assert "There are no weights called “yolo26”" in printed
    assert "yolo26n" in printed


@pytest.mark.parametrize("name", ["../../etc", "zzz", "model", ""])
def test_pull_suggests_no_names_that_are_not_near(
    settings: Settings, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert pull.run([name], False, settings) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "There are no weights called" in printed
    assert "Perhaps you mean" not in printed


def test_a_full_disk_ends_the_pull(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def full(_: object, name: str, *__: object) -> Path:
        asked.append(name)
        raise WeightsError("no-space", name=name, megabytes=12)

    monkeypatch.setattr(WeightsStore, "pull", full)
    assert pull.run([], False, settings) == 1
    assert len(asked) == 1
    assert "12 MB" in capsys.readouterr().out


def test_stopping_a_pull(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(WeightsStore, "pull", interrupt)
    assert pull.run(["yolo26n"], False, settings) == 130
    assert "The next pull goes on from here" in capsys.readouterr().out


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_failure_has_its_sentence(language: str) -> None:
    say = words(language)
    for reason in (
        *("unknown", "unpinned", "no-network", "gone", "wrong-hash"),
        *("no-space", "disk", "cancelled"),
    ):
        text = say(Message(f"error-weights-{reason}", name="yolo26n", megabytes=7))
        assert "yolo26n" in text
