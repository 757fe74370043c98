# SPDX-License-Identifier: MIT
"""jq: reads, reshapes, sorts and prints a large document; many small ones; deep recursion."""
import json
import random

from harness import digest, make_text

NEEDS = {"jq": "jq"}
SERVED = ("jq",)

FILTERS = (
    ".",
    "group_by(.kind) | map({kind: .[0].kind, n: length, total: (map(.value) | add)})",
    'map(select(.tags | index("t3"))) | sort_by(.name, .id) | map({(.name): .id}) | add',
    r'[.[] | .text | gsub("(?<a>[aeiou])(?<b>[a-z])"; "\(.b)\(.a)")] | map(length) | add',
    '[paths(type == "number")] | length',
    "map(.nested) | tojson | fromjson | flatten | unique | length",
)
REDUCE = r'reduce range(20000) as $i ({}; .["k\($i % 300)"] += [$i]) | map_values(length)'
RECURSE = "def f: if . > 9000 then [.] else [. + 1 | f] end; 0 | f | [recurse] | length"


def prepare(case):
    source = random.Random(3)
    lines = [line for line in make_text(3, 1 << 19).splitlines() if line]
    items = [{"id": number, "kind": source.randrange(40), "value": source.randrange(10**6) / 4,
              "text": line, "name": line.split()[0],
              "tags": [f"t{source.randrange(9)}" for _ in range(number % 7)],
              "nested": [[number % 50], {"a": {"b": [None, True, line[:9]]}}]}
             for number, line in enumerate(lines)]
    (case.inputs / "items.json").write_text(json.dumps(items), encoding="utf-8")
    documents = "\n".join(map(json.dumps, items))
    (case.inputs / "lines.json").write_text(documents, encoding="utf-8")


def run(run):
    results = {text: digest(run.command("jq", text, run.inputs / "items.json"))
               for text in FILTERS}
    results["many documents"] = digest(
        run.command("jq", "-c", "[.id, .tags]", run.inputs / "lines.json"))
    results["reduce"] = run.command("jq", "-n", REDUCE)
    results["recursion"] = run.command("jq", "-n", RECURSE)
    return results
