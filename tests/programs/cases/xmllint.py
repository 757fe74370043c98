# SPDX-License-Identifier: MIT
"""xmllint: trees, streams, XPath; validation by a DTD and by a schema; repair of a document."""
import random
from xml.sax.saxutils import escape

from harness import digest, make_text

NEEDS = {"xmllint": "libxml2-utils"}
SERVED = ("xmllint",)

DTD = """<!ELEMENT list (item*)>
<!ELEMENT item (name, note*)>
<!ELEMENT name (#PCDATA)>
<!ELEMENT note (#PCDATA | b)*>
<!ELEMENT b (#PCDATA)>
<!ATTLIST item id ID #REQUIRED next IDREF #IMPLIED>
"""
SCHEMA = """<element name="list" xmlns="http://relaxng.org/ns/structure/1.0"
    datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
  <zeroOrMore>
    <element name="item">
      <attribute name="id"/> <attribute name="next"/>
      <element name="name"><data type="token"/></element>
      <zeroOrMore>
        <element name="note">
          <mixed><zeroOrMore><element name="b"><data type="integer"/></element></zeroOrMore></mixed>
        </element>
      </zeroOrMore>
    </element>
  </zeroOrMore>
</element>
"""


def document(items):
    return "<?xml version='1.0'?>\n<list>\n" + "\n".join(items) + "\n</list>\n"


def prepare(case):
    source = random.Random(4)
    lines = [escape(line) for line in make_text(4, 1 << 20).splitlines() if line]
    items = []
    for number, line in enumerate(lines):
        notes = "".join(f"<note>{line[:k * 20]}<b>{k}</b>&amp;</note>"
                        for k in range(source.randrange(4)))
        items.append(f'<item id="i{number}" next="i{source.randrange(len(lines))}">'
                     f"<name>{line}</name>{notes}</item>")
    broken = document(items).replace("</name>", "").replace("<b>", "<b><i>")
    for name, text in {"list.xml": document(items), "short.xml": document(items[:500]),
                       "broken.html": broken, "list.dtd": DTD, "list.rng": SCHEMA}.items():
        (case.inputs / name).write_text(text, encoding="utf-8")


def probe(run):
    run.command("xmllint", "--version", chatty=True)


def run(run):
    inputs = run.inputs

    def lint(*options, name="list.xml", chatty=False):
        return digest(run.command("xmllint", *options, inputs / name, chatty=chatty))
    return {
        "formatted": lint("--format"),
        "canonical": lint("--c14n"),
        "copied a hundred times": lint("--copy", "--repeat", "--noout", name="short.xml"),
        "streamed": lint("--stream", "--noout"),
        "pushed": lint("--push", "--noblanks"),
        "found": lint("--xpath", "//item[count(note) > 2 and b or contains(name, 'th')]/@id"),
        "counted": lint("--xpath", "count(//item[@next = 'i7']) + string-length(string(/list))"),
        "valid by the DTD": lint("--noout", "--dtdvalid", inputs / "list.dtd"),
        "valid by the schema": lint("--noout", "--relaxng", inputs / "list.rng", chatty=True),
        "repaired": lint("--html", "--recover", name="broken.html", chatty=True)}
