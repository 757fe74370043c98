# SPDX-License-Identifier: MIT
"""xmllint: trees, streams, XPath, validation against a DTD and a schema, repair of broken documents."""
import random
from xml.sax.saxutils import escape

from harness import digest, make_text

NEEDS = {"xmllint": "libxml2-utils"}
SERVED = ("xmllint",)

DTD = """<!ELEMENT list (item*)> <!ELEMENT item (name, note*)> <!ELEMENT name (#PCDATA)>
<!ELEMENT note (#PCDATA | b)*> <!ELEMENT b (#PCDATA)> <!ATTLIST item id ID #REQUIRED next IDREF #IMPLIED>
"""
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">
<xs:element name="list"><xs:complexType><xs:sequence><xs:element name="item" minOccurs="0" maxOccurs="unbounded">
<xs:complexType><xs:sequence><xs:element name="name" type="xs:token"/>
<xs:element name="note" minOccurs="0" maxOccurs="9"><xs:complexType mixed="true"><xs:sequence>
<xs:element name="b" type="xs:string" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
</xs:element></xs:sequence><xs:attribute name="id" type="xs:ID"/><xs:attribute name="next" type="xs:IDREF"/>
</xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element></xs:schema>
"""


def prepare(case):
    source = random.Random(4)
    lines = [escape(line) for line in make_text(4, 1 << 20).splitlines() if line]
    items = []
    for number, line in enumerate(lines):
        notes = "".join(
            f"<note>{line[:k * 20]}<b>{k}</b>&amp;</note>" for k in range(source.randrange(4))
        )
        items.append(
            f'<item id="i{number}"'
            f' next="i{source.randrange(len(lines))}"><name>{line}</name>{notes}</item>'
        )
    head, foot = "<?xml version='1.0'?>\n<list>\n", "\n</list>\n"
    text = head + "\n".join(items) + foot
    (case.inputs / "list.xml").write_text(text, encoding="utf-8")
    (case.inputs / "short.xml").write_text(head + "\n".join(items[:500]) + foot, encoding="utf-8")
    (case.inputs / "broken.html").write_text(
        text.replace("</name>", "").replace("<b>", "<b><i>"), encoding="utf-8"
    )
    (case.inputs / "list.dtd").write_text(DTD, encoding="utf-8")
    (case.inputs / "list.xsd").write_text(SCHEMA, encoding="utf-8")


def probe(run):
    run.command("xmllint", "--version", chatty=True)


def run(run):
    document = run.inputs / "list.xml"

    def lint(*options, file=document, chatty=False):
        return digest(run.command("xmllint", *options, file, chatty=chatty))

    return {
        "formatted": lint("--format"),
        "canonical": lint("--c14n"),
        "copied and repeated": lint("--copy", "--repeat", "--noout", file=run.inputs / "short.xml"),
        "streamed": lint("--stream", "--noout"),
        "pushed": lint("--push", "--noblanks"),
        "found": lint("--xpath", "//item[count(note) > 2 and b or contains(name, 'th')]/@id"),
        "counted": lint("--xpath", "count(//item[@next = 'i7']) + string-length(string(/list))"),
        "validated": lint("--noout", "--dtdvalid", run.inputs / "list.dtd"),
        "schema": lint("--noout", "--schema", run.inputs / "list.xsd", chatty=True),
        "repaired": lint(
            "--html", "--recover", "--huge", file=run.inputs / "broken.html", chatty=True
        ),
    }
