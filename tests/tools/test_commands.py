# SPDX-License-Identifier: MIT
#
# The commands other than run, and what is no command.

import json
import os
import subprocess

from tool import TOOL, ToolTest, clean_environment, hakmem, main

SOURCE = os.environ.get("HAKMEM_SOURCE_DIR") or os.path.join(os.path.dirname(__file__), "..", "..")


class Commands(ToolTest):
    def test_unknown(self):
        self.check(hakmem("rnu"), 2, stderr='hakmem: no command "rnu"; the nearest is "run"\n')
        self.check(hakmem("option"), 2,
                   stderr='hakmem: no command "option"; the nearest is "options"\n')
        self.check(hakmem("frobnicate"), 2,
                   stderr='hakmem: no command "frobnicate"; `hakmem --help\' lists them\n')

    def test_none(self):
        done = hakmem()
        self.check(done, 2, stderr=None)
        self.assertIn("a command is needed", done.stderr)

    def test_bad_option(self):
        self.assertEqual(2, hakmem("--colour").returncode)
        self.assertEqual(2, hakmem("options", "--colour").returncode)
        self.assertEqual(2, hakmem("version", "more").returncode)

    def test_help(self):
        for arguments in (["--help"], ["run", "--help"], ["options", "--help"],
                          ["version", "--help"]):
            done = hakmem(*arguments)
            self.check(done, stdout=None)
            self.assertIn("Usage: hakmem", done.stdout)

    def test_version(self):
        numbers = []
        with open(os.path.join(SOURCE, "include", "hakmem.h")) as header:
            for line in header:
                if line.startswith("#define HAKMEM_VERSION_"):
                    numbers.append(line.split()[2])
        expected = f"hakmem {'.'.join(numbers)}\n"
        self.check(hakmem("version"), stdout=expected)
        self.check(hakmem("--version"), stdout=expected)
        self.check(hakmem("-V"), stdout=expected)

    def test_full_output(self):
        for arguments in (["version"], ["options"], ["options", "--json"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([TOOL, *arguments], stdout=full, stderr=subprocess.PIPE,
                                      text=True, env=clean_environment())
            self.assertEqual((1, "hakmem: standard output: No space left on device\n"),
                             (done.returncode, done.stderr))


class Options(ToolTest):
    def table(self):
        done = hakmem("options", "--json")
        self.check(done, stdout=None)
        return json.loads(done.stdout)

    def test_json(self):
        table = self.table()
        self.assertEqual({"options", "profiles", "variables"}, set(table))
        by_name = {option["name"]: option for option in table["options"]}
        self.assertEqual(len(table["options"]), len(by_name))
        delay = by_name["purge_delay_ms"]
        self.assertEqual(("int", 1000, -1, 3600000, True),
                         (delay["type"], delay["default"], delay["least"], delay["most"],
                          delay["run_time"]))
        self.assertEqual(1048576, by_name["magazine_bytes"]["default"])
        self.assertEqual(["fast", "checked"], by_name["check"]["words"])
        self.assertIs(False, by_name["stats"]["default"])
        self.assertEqual(["speed", "balanced", "lean", "learn"],
                         [profile["name"] for profile in table["profiles"]])
        for profile in table["profiles"]:
            self.assertLessEqual(set(profile["values"]), set(by_name))

    def test_fewer_than_thirty(self):
        self.assertLess(len(self.table()["options"]), 30)

    def test_text_has_every_option(self):
        lines = hakmem("options").stdout.splitlines()
        for option in self.table()["options"]:
            self.assertEqual(1, sum(line.startswith(option["name"] + "=") for line in lines))

    def test_reference_is_generated(self):
        done = hakmem("options", "--markdown")
        self.check(done, stdout=None)
        path = os.path.join(SOURCE, "docs", "reference", "options.md")
        with open(path) as file:
            self.assertEqual(file.read(), done.stdout,
                             "make it again: hakmem options --markdown > docs/reference/options.md")

    def test_every_option_can_be_set(self):
        """What the table calls a default is accepted by its own check."""
        for option in self.table()["options"]:
            value = option["default"]
            if isinstance(value, bool):
                value = int(value)
            if "words" in option:
                value = option["words"][-1]
            done = hakmem("run", "--set", f"{option['name']}={value}", "--lib", "/missing", "true")
            self.assertEqual("hakmem run: /missing: No such file or directory\n", done.stderr)


if __name__ == "__main__":
    main()
