"""Checks what deploy/ ships, without containers and without systemd as process 1.

check_deploy.py SOURCE BIN: lints units, compose file, scripts and monitoring with the tools that are
there, then starts the compose file's own commands as plain processes (paths, host and ports replaced),
waits for its own health checks, runs a job, and compares the metrics that alerts and dashboard name
with those that are served. A tool that is missing is said to be so.
"""
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

SOURCE, BIN = Path(sys.argv[1]), Path(sys.argv[2])
DEPLOY = SOURCE / "deploy"
SERVICES = ["scheduler", "worker-1", "worker-2", "trainer"]


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def have(tool):
    found = shutil.which(tool) is not None
    if not found:
        print(f"not checked: there is no {tool}")
    return found


def lint_units(work):
    if not have("systemd-analyze"):
        return
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        # The programs are those of the build; an instance has a name.
        copy = work / unit.name.replace("@", "@one")
        copy.write_text(unit.read_text().replace("/usr/bin/inferon", f"{BIN}/inferon"))
        run(["systemd-analyze", "verify", "--man=no", copy])
        score = run(["systemd-analyze", "security", "--offline=true", copy]).splitlines()[-1]
        exposure = float(re.search(r"([0-9.]+) \w+ ", score.split(": ")[1] + " ").group(1))
        assert exposure < 2.5, score


def lint_monitoring():
    folder = DEPLOY / "monitoring"
    json.loads((folder / "dashboard.json").read_text())
    if have("promtool"):
        run(["promtool", "check", "config", folder / "prometheus.yml"])
        run(["promtool", "test", "rules", folder / "alerts_test.yml"])


def lint_scripts():
    if have("shellcheck"):
        run(["shellcheck", *DEPLOY.glob("**/*.sh")])


def free_port():
    """A port that nobody has now, below those that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Node:
    """The services of the compose file as processes of this machine."""

    def __init__(self, work):
        self.work = work
        self.compose = yaml.safe_load((DEPLOY / "container/docker-compose.yml").read_text())
        self.ports = {port: free_port() for port in (7001, 7002, 9464, 9465)}
        self.processes = {}
        self.environment = dict(os.environ, PATH=f"{BIN}:{DEPLOY}/certs:{DEPLOY}/container:"
                                f"{os.environ['PATH']}")

    def command(self, service, words):
        """Words as they are here: volumes are folders, the host is this one, ports are free ones."""
        places = {}
        for volume in self.compose["services"][service].get("volumes", []):
            name, path = volume.split(":")[:2]
            assert name in self.compose["volumes"], f"{service}: no volume {name}"
            places[path] = str(self.work / "volumes" / name)
        here = []
        for word in words:
            for path in sorted(places, key=len, reverse=True):
                word = re.sub(rf"(^|=){path}(?=/|$)", rf"\g<1>{places[path]}", word)
            word = re.sub(r"\bscheduler:(\d+)", r"127.0.0.1:\1", word)
            for port, free in self.ports.items():
                word = re.sub(rf":{port}$", f":{free}", word)
            here.append(word)
        return here

    def setup(self):
        # One folder for all of the one-shot step's volumes.
        access = self.work / "access"
        for volume in self.compose["services"]["access"]["volumes"]:
            name, path = volume.split(":")
            (self.work / "volumes" / name).mkdir(parents=True, exist_ok=True)
            access.mkdir(exist_ok=True)
            (access / path.split("/")[-1]).symlink_to(self.work / "volumes" / name)
        words = [str(access) if word == "/access" else word
                 for word in self.compose["services"]["access"]["command"]]
        run(words, env=self.environment)
        run(words, env=self.environment)  # Again: what is there stays.

    def start(self, service):
        log = open(self.work / f"{service}.log", "w")
        words = self.command(service, self.compose["services"][service]["command"])
        self.processes[service] = subprocess.Popen(words, stdout=log, stderr=log,
                                                   env=self.environment)

    def await_health(self, service):
        test = self.compose["services"][service]["healthcheck"]["test"]
        assert test[0] == "CMD"
        words = self.command(service, test[1:])
        for _ in range(600):
            if self.processes[service].poll() is not None:
                break
            done = subprocess.run(words, capture_output=True, text=True, env=self.environment)
            if done.returncode == 0:
                return
            time.sleep(0.2)
        sys.exit(f"{service} is not healthy: {done.stderr}{self.log(service)}")

    def log(self, service):
        return (self.work / f"{service}.log").read_text()

    def inferon(self, *words):
        return run(["inferon", f"--scheduler=127.0.0.1:{self.ports[7001]}",
                    f"--ca={self.work}/volumes/client/ca.crt",
                    f"--token-file={self.work}/volumes/client/admin.token", *words],
                   env=self.environment)

    def metrics(self):
        text = ""
        for port in (9464, 9465):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[port]}/metrics") as answer:
                text += answer.read().decode()
        return text

    def stop(self):
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
        codes = {name: process.wait(timeout=120) for name, process in self.processes.items()}
        assert set(codes.values()) == {0}, codes


def named_metrics():
    text = (DEPLOY / "monitoring/alerts.yml").read_text()
    for panel in json.loads((DEPLOY / "monitoring/dashboard.json").read_text())["panels"]:
        text += " ".join(target["expr"] for target in panel["targets"]) + "\n"
    return set(re.findall(r"\binferon_[a-z_]+", text))


def check_logs(node):
    """Every line is an object; the worker's names the request of the command line."""
    for service in SERVICES:
        for line in node.log(service).splitlines():
            entry = json.loads(line)
            assert {"time", "level", "process", "message"} <= entry.keys(), line
    secrets = [path.read_text().strip().rsplit("_", 1)[1]
               for path in (node.work / "volumes").glob("*/*.token")]
    assert len(secrets) == 4, secrets
    for service in SERVICES:
        assert not any(secret in node.log(service) for secret in secrets), service


def check_node(work):
    node = Node(work)
    node.setup()
    try:
        node.start("scheduler")
        node.await_health("scheduler")
        for service in SERVICES[1:]:
            node.start(service)
        node.await_health("trainer")
        codes = work / "codes.csv"
        codes.write_text("g_l,v_th\n" + "300,400\n" * 20)
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        node.environment["TRACEPARENT"] = f"00-{trace}-00f067aa0ba902b7-01"
        node.inferon("job", "submit", str(codes), "--profile", "lif2", "--watch")
        del node.environment["TRACEPARENT"]
        assert trace in node.log("worker-1") + node.log("worker-2"), "the worker's log has no trace"
        served = node.metrics()
        missing = [name for name in sorted(named_metrics()) if name not in served]
        assert not missing, f"nobody serves {missing}"
        assert re.search(r'inferon_worker_experiments_total\{worker="emulator-[12]"\} [1-9]', served)
    finally:
        node.stop()
    check_logs(node)


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        lint_scripts()
        lint_monitoring()
        lint_units(work)
        check_node(work)
    print("deploy: clean")


main()
