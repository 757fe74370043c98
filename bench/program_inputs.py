# SPDX-License-Identifier: MIT
"""What the real programs of programs.py work on: texts that are the same on every machine."""

import json
import random

PYTHON = """
import json, random
rng = random.Random(7)
words = ["w%05d" % i for i in range(5000)]
rows = [{"id": i, "key": rng.choice(words), "tags": rng.sample(words, 4),
         "text": " ".join(rng.choices(words, k=rng.randrange(2, 30)))} for i in range(30000)]
rows = json.loads(json.dumps(rows))
rows.sort(key=lambda row: (row["key"], row["id"]))
index = {}
for row in rows:
    for tag in row["tags"]:
        index.setdefault(tag, []).append(row["text"].split())
print(len(index), sum(len(text) for texts in index.values() for text in texts))
"""

PERL = """
my $state = 7;
sub draw { $state = ($state * 1103515245 + 12345) & 0x7fffffff; return ($state >> 8) % $_[0]; }
my %count;
for my $i (1 .. 60000) {
    my $line = join " ", map { "w" . draw(5000) } 1 .. 2 + draw(12);
    push @{$count{length $line}}, [split / /, $line];
    $line =~ s/w(\\d+)/<$1>/g;
}
print scalar(keys %count), " ", join(",", map { scalar @{$count{$_}} } sort keys %count), "\\n";
"""

LUA = """
local state = 7
local function draw(n) state = (state * 1103515245 + 12345) & 0x7fffffff return (state >> 8) % n end
local lists, total = {}, 0
for i = 1, 120000 do
  local words = {}
  for k = 1, 2 + draw(8) do words[k] = "w" .. draw(5000) end
  lists[draw(20000)] = {text = table.concat(words, " "), words = words, id = i}
end
for _, list in pairs(lists) do total = total + #list.text end
print(total)
"""

RUBY = """
state = 7
draw = ->(n) { state = (state * 1103515245 + 12345) & 0x7fffffff; (state >> 8) % n }
lists = Hash.new { |hash, key| hash[key] = [] }
80000.times do |i|
  words = Array.new(2 + draw.(8)) { "w#{draw.(5000)}" }
  lists[draw.(9000)] << { id: i, text: words.join(" "), words: words }
end
sizes = lists.values.flatten.group_by { |row| row[:words].size }
puts sizes.map { |size, rows| [size, rows.size] }.sort.inspect
"""

NODE = """
let state = 7;
const draw = n => (state = (state * 16807) % 2147483647) % n;
const rows = [];
for (let i = 0; i < 100000; i++)
  rows.push({id: i, text: Array.from({length: 2 + draw(12)}, () => "w" + draw(5000)).join(" ")});
const again = JSON.parse(JSON.stringify(rows));
const buffers = again.map(row => Buffer.from(row.text));
again.sort((a, b) => a.text < b.text ? -1 : a.text > b.text ? 1 : a.id - b.id);
console.log(Buffer.concat(buffers).length, again[1000].text);
"""

JQ = """
group_by(.key) | map({key: .[0].key, count: length, tags: (map(.tags) | add | unique | length),
                      words: (map(.text | split(" ") | length) | add)}) | sort_by(-.count, .key)
"""

SQL = """
CREATE TABLE item(id INTEGER PRIMARY KEY, key TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO item SELECT i, 'k' || (i * 7919 % 5000), i * 0.5 FROM n;
CREATE INDEX by_key ON item(key, value);
SELECT count(*), sum(total) FROM (SELECT key, sum(value) AS total FROM item GROUP BY key);
SELECT group_concat(key, '-') FROM (SELECT key, count(*) AS c FROM item GROUP BY key LIMIT 50);
SELECT count(*) FROM item a JOIN item b ON a.key = b.key AND a.id < b.id WHERE a.id < 4000;
UPDATE item SET key = key || 'x' WHERE id % 3 = 0;
DELETE FROM item WHERE id % 5 = 0;
SELECT count(DISTINCT key), max(length(key)) FROM item;
"""

CXX = """
#include <functional>
#include <map>
#include <regex>
#include <string>
#include <vector>
template <int N> struct step {
    std::map<int, std::vector<std::string>> map;
    std::function<int(int)> function;
    int sum() { return N + step<N - 1>().sum(); }
};
template <> struct step<0> {
    int sum() { return 0; }
};
int main() {
    std::regex expression("a+b");
    return step<60>().sum();
}
"""

NGINX = """
pid nginx.pid;
error_log stderr;
worker_processes 2;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path tmp;
    proxy_temp_path tmp;
    fastcgi_temp_path tmp;
    uwsgi_temp_path tmp;
    scgi_temp_path tmp;
    server {
        listen 127.0.0.1:18473;
        location / { root .; sub_filter w0 W0; sub_filter_once off; sub_filter_types *; }
    }
}
"""


def rows():
    rng = random.Random(11)
    words = [f"w{i:05d}" for i in range(5000)]
    return [{"id": i, "key": rng.choice(words), "tags": rng.sample(words, 4),
             "text": " ".join(rng.choices(words, k=rng.randrange(2, 30)))} for i in range(40000)]


def document(items):
    body = "".join(
        f'<item id="i{item["id"]}" key="{item["key"]}"><text>{item["text"]}</text>'
        + "".join(f"<tag>{tag}</tag>" for tag in item["tags"]) + "</item>\n" for item in items)
    return f"<?xml version='1.0'?>\n<list>\n{body}</list>\n"


def c_source(functions):
    """C in which there is something to follow for a checker of sources."""
    body = "".join(
        f"int f{i}(int n, const char *text) {{\n"
        f"    char *copy = malloc(n + {i});\n    int sum = 0;\n"
        f"    for (int k = 0; k < n; k++) {{\n        if (text[k] == {i % 100}) sum += k;\n"
        f"        else copy[k] = text[k];\n    }}\n"
        f"    if (sum > {i}) free(copy);\n    return sum {'+' if i % 2 else '-'} "
        f"{f'f{i - 1}(n - 1, text)' if i else 'n'};\n}}\n" for i in range(functions))
    return "#include <stdlib.h>\n" + body


def pigeons(count):
    """More pigeons than holes, which z3 has to find unsatisfiable."""
    lines = [f"(declare-const p{i}h{j} Bool)" for i in range(count + 1) for j in range(count)]
    for i in range(count + 1):
        lines.append("(assert (or " + " ".join(f"p{i}h{j}" for j in range(count)) + "))")
        lines += [f"(assert (not (and p{i}h{j} p{k}h{j})))" for k in range(i) for j in range(count)]
    return "\n".join([*lines, "(check-sat)\n"])


def write(folder):
    items = rows()
    for name, text in {
        "rows.json": json.dumps(items),
        "list.xml": document(items),
        "templates.cpp": CXX,
        "many.c": c_source(400),
        "statements.sql": SQL,
        "pigeons.smt2": pigeons(9),
        "nginx.conf": NGINX,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "tmp").mkdir()
