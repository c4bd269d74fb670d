"""The commands of bin/, the CI entry and the compose deployment say and do what they promise."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings

ROOT = Path(settings.ROOT)
SH = sorted([*(p for p in (ROOT / "bin").iterdir()), ROOT / "deploy/run", ROOT / "deploy/secrets"])
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PROXY = (ROOT / "deploy/nginx.conf").read_text()


def sh(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize("script", SH, ids=lambda p: p.name)
def test_script_is_plain_posix_sh(script: Path) -> None:
    shell = shutil.which("dash") or "sh"
    assert sh(shell, "-n", str(script)).stderr == ""
    if script.name != "env.sh":
        assert script.read_text().startswith("#!/bin/sh\n")
        assert script.stat().st_mode & 0o111 == 0o111


def test_ci_entry_is_runnable_bash() -> None:
    entry = ROOT / ".ci/run"
    assert sh("bash", "-n", str(entry)).stderr == ""
    assert entry.stat().st_mode & 0o111 == 0o111
    assert entry.read_text().rstrip().endswith("exec bin/test --all </dev/null")


@pytest.mark.parametrize("port", ["", "x", "0", "65536", "1;id", "-1"])
def test_start_refuses_what_is_no_port(port: str) -> None:
    done = sh(str(ROOT / "bin/start"), "--port", port)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "The port is a number from 1 to 65535.\n")


def test_start_refuses_an_unknown_argument() -> None:
    done = sh(str(ROOT / "bin/start"), "--prot", "8001")
    assert (done.returncode, done.stderr) == (1, "bin/start does not know '--prot'. It takes --port N.\n")


def test_start_says_what_to_install_when_there_is_no_python(tmp_path: Path) -> None:
    for name in ("dirname", "cmp"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    shutil.copytree(ROOT / "bin", tmp_path / "house/bin")
    shutil.copy(ROOT / "requirements.txt", tmp_path / "house")
    done = sh("/bin/sh", str(tmp_path / "house/bin/start"), env={"PATH": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr.startswith("Waymark needs Python 3.11 or newer, and this machine has none.\n")
    assert "sudo apt-get install python3 python3-venv" in done.stderr


def test_serve_names_a_free_port_when_this_one_is_taken() -> None:
    from django.core.management import call_command

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as stopped:
            call_command("serve", "--port", str(port))
    said = str(stopped.value)
    assert said.startswith(f"Port {port} is already used by another program on this machine. Port ")
    suggested = int(re.findall(r"bin/start --port (\d+)$", said)[0])
    assert port < suggested < port + 100


def test_secrets_are_made_once_and_complete(tmp_path: Path) -> None:
    from practice import keys

    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/secrets", tmp_path / "deploy")
    assert sh(str(tmp_path / "deploy/secrets")).returncode == 0
    folder = tmp_path / "secrets"
    first = {p.name: p.read_text() for p in folder.iterdir()}
    assert sorted(first) == ["broker_url", "database_url", "keys", "postgres_password", "valkey_password"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert sorted(keys.parse(first["keys"]).keys) == sorted(keys.PURPOSES)
    assert first["database_url"] == f"postgres://waymark:{first['postgres_password']}@postgres:5432/waymark"
    assert len(first["postgres_password"]) == 48
    assert sh(str(tmp_path / "deploy/secrets")).returncode == 0
    assert {p.name: p.read_text() for p in folder.iterdir()} == first


# --- The compose deployment (security check 64, as far as a file can show it) -----------------------------------------


def test_only_the_proxy_has_an_open_port() -> None:
    assert {n: s["ports"] for n, s in COMPOSE["services"].items() if "ports" in s} == {
        "proxy": ["${HTTPS_PORT:-443}:443"]
    }


def test_databases_have_no_way_out_and_no_neighbour_but_the_app() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert [COMPOSE["services"][n]["networks"] for n in ("postgres", "valkey", "proxy")] == [
        ["inside"],
        ["inside"],
        ["outside"],
    ]


def test_no_secret_is_in_the_file_or_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for name, value in re.findall(r"^\s+(\w*(?:PASSWORD|TOKEN|KEY|URL|SECRET)\w*): (.+)$", text, re.MULTILINE):
        assert value.startswith("/run/secrets/") or value == f"${{{name}:-}}", name
    assert re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY|CERT)\w*):-", text) == []
    assert all(s["file"].startswith(("./secrets/", "${TLS_")) for s in COMPOSE["secrets"].values())


def test_what_is_required_says_what_to_do() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    required = dict(re.findall(r"\$\{(\w+):\?([^}]+)\}", text))
    assert sorted(required) == ["MAIL_FROM", "ORIGIN", "TLS_CERTIFICATE", "TLS_KEY"]
    assert all(words.startswith("Say in .env ") and f"{name}=" in words for name, words in required.items())


def test_every_container_has_its_part() -> None:
    services = COMPOSE["services"]
    assert {n: s.get("command") for n, s in services.items() if n in ("app", "worker", "beat")} == {
        "app": ["web"],
        "worker": ["worker"],
        "beat": ["beat"],
    }
    assert [n for n in ("app", "postgres", "valkey", "proxy") if "healthcheck" not in services[n]] == []
    assert [n for n, s in services.items() if "restart" not in s or "logging" not in s] == []


def test_image_does_not_run_as_root_and_installs_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE) == ["waymark"]
    assert "pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt" in text
    copied = {word for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for word in line.split()[:-1]}
    assert [c for c in copied - {"--from=packages", "/opt/waymark"} if not (ROOT / c).exists()] == []


def test_proxy_shows_the_help_page_with_the_same_rules_as_the_app() -> None:
    policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())
    help_location = PROXY.partition("location @help {")[2].partition("\n        }")[0]
    assert f'Content-Security-Policy "{policy}"' in help_location
    assert "rewrite ^ /help-now.html break;" in help_location
    assert COMPOSE["x-app"]["environment"]["HELP_PAGE"] == "/public/help-now.html"
    assert "root /public;" in help_location
    assert "python manage.py help_page\n" in (ROOT / "deploy/run").read_text()


def test_proxy_writes_no_paths_and_believes_no_browser_about_its_address() -> None:
    assert "access_log off;" in PROXY
    assert "error_log /dev/stderr crit;" in PROXY
    assert re.findall(r"X-Forwarded-For (\S+);", PROXY) == ["$remote_addr", "$remote_addr"]


# --- What must not be in a file that people clone ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_lock_holds_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    pinned = re.compile(r"^[a-z0-9][a-z0-9.-]*==[^\s;]+( ; .+)? \\$")
    odd = [line for line in lines if not (pinned.match(line) or line.startswith(("    --hash=sha256:", "    #")))]
    assert odd == []
    assert len([line for line in lines if pinned.match(line)]) >= 40


def test_pins_of_the_product_are_those_of_the_suite() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.txt") - pins("requirements-dev.txt") == set()
