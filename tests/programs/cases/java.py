# SPDX-License-Identifier: MIT
"""javac, then java with each collector on a program of many threads."""
from harness import SCRIPTS

NEEDS = {"java": "default-jdk-headless", "javac": "default-jdk-headless"}
SERVED = ("java", "javac")


def probe(run):
    run.command("java", "-version", chatty=True)
    run.command("javac", "-version")


def run(run):
    run.command("javac", "-d", ".", SCRIPTS / "Main.java")
    return {collector: run.command("java", "-Xmx256m", f"-XX:+Use{collector}",
                                   "-XX:-UsePerfData", "-cp", ".", "Main")
            for collector in ("SerialGC", "ParallelGC", "G1GC")}
