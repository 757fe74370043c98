# SPDX-License-Identifier: MIT
#
# hakmem learn, and run --policy: what is learned is written, applied, and found after a rebuild.

import json
import os
import re
import shutil
import sys
import unittest

from tool import DIR, ToolTest, hakmem, main

LEARNER = os.path.join(DIR, "tools_learner")
MOVED = os.path.join(DIR, "tools_learner_moved")


def has_learn():
    return hakmem("learn", "--help").returncode == 0


@unittest.skipUnless(has_learn(), "built without elfutils")
class Learn(ToolTest):
    def program(self, which):
        path = self.path("learner")
        shutil.copy(which, path)
        return path

    def learn(self):
        policy = self.path("policy")
        done = hakmem("learn", "-o", policy, "--", self.program(LEARNER))
        self.check(done, stderr=None)
        self.assertRegex(done.stderr,
                         r"1 site written to .*; beside the fixed policy [\d.]+ ms gained")
        return policy

    def mappings(self, *arguments):
        """How often memory was mapped in a run of the program."""
        stats = self.path("stats")
        if os.path.exists(stats):
            os.unlink(stats)
        done = hakmem("run", *arguments, "-s", "-o", "stats_format=json", "-o",
                      f"stats_file={stats}", "--", self.path("learner"))
        with open(stats) as file:
            return done, json.load(file)["os_mmap"]

    def read(self, path):
        with open(path) as file:
            return file.read()

    def test_learned_and_applied(self):
        policy = self.learn()
        self.assertRegex(self.read(policy),
                         r"\Ahakmem policy 1\nsite [0-9a-f]+ (10|100|1000) learner\t"
                         r"learner_site\+0x[0-9a-f]+\nend\n\Z")
        done, without = self.mappings()
        self.check(done)
        done, applied = self.mappings("--policy", policy)
        self.check(done)
        self.assertGreater(without, 60)
        self.assertLess(applied, 20)

    def test_moved(self):
        policy = self.learn()
        before = self.read(policy)
        self.program(MOVED)
        done, applied = self.mappings("--policy", policy)
        self.check(done, stderr=f"hakmem run: 1 site has moved in the program; {policy} is up to "
                                "date again\n")
        self.assertLess(applied, 20)
        after = self.read(policy)
        self.assertNotEqual(before, after)
        self.assertEqual(re.sub("site [0-9a-f]+", "", before), re.sub("site [0-9a-f]+", "", after))
        done, applied = self.mappings("--policy", policy)
        self.check(done)

    def test_status(self):
        policy = self.path("policy")
        done = hakmem("learn", "-o", policy, self.program(LEARNER), "0")
        self.check(done, stderr=None)
        self.assertIn("0 sites written", done.stderr)
        self.assertEqual("hakmem policy 1\nend\n", self.read(policy))
        done = hakmem("learn", "-o", self.path("no/folder"), "true")
        self.assertEqual(2, done.returncode)
        self.assertEqual(127, hakmem("learn", "/no/such/program").returncode)
        self.assertEqual(7, hakmem("learn", "-o", policy, sys.executable, "-c",
                                   "raise SystemExit(7)").returncode)

    def test_damaged(self):
        policy = self.learn()
        good = self.read(policy)
        for damaged, said in ((good[:-2], "3: not a line of a policy file"),
                              (good.replace("end\n", ""), "2: ends in the middle"),
                              (good.replace("site ", "site x"), "2: the offset"),
                              (good.replace("policy 1", "policy 2"), "1: made by another version"),
                              ("", "0: ends in the middle")):
            with open(policy, "w") as file:
                file.write(damaged)
            done = self.run_only("--policy", policy)
            self.assertEqual(125, done.returncode)
            self.assertIn(f"hakmem run: {policy}:{said}", done.stderr)
            done = self.run_only("-o", f"policy_file={policy}")
            self.assertEqual(0, done.returncode)
            self.assertIn("the fixed policy is used", done.stderr)
        missing = self.path("missing")
        self.check(hakmem("run", "--policy", missing, "true"), 125,
                   stderr=f"hakmem run: {missing}: No such file or directory\n")

    def run_only(self, *arguments):
        return hakmem("run", *arguments, "--", self.path("learner"), "1")


if __name__ == "__main__":
    main()
