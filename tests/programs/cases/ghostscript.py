# SPDX-License-Identifier: MIT
"""ghostscript: a page with text, curves, shading, patterns and an image, as rasters, PDF, and text."""
from harness import digest

NEEDS = {"gs": "ghostscript"}
SERVED = ("gs",)
OPTIONS = ("-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-r100", "-o", "-")

PAGES = r"""%!PS
/seed 12345 def
/random { /seed seed 171 mul 11213 add 53125 mod def seed exch mod } def
1 1 4 { /page exch def
  gsave 36 36 translate
  1 1 150 { /k exch def
    newpath 540 random 700 random moveto 540 random 700 random 540 random 700 random 540 random 700 random curveto
    k 150 div page 4 div 0.5 setrgbcolor k 7 mod 0.3 mul setlinewidth [k 5 mod 1 add 2] 0 setdash stroke } for
  [/Times-Roman /Helvetica-Bold /Courier /ZapfChancery-MediumItalic] { /f exch def
    1 1 12 { /n exch def f findfont n 3 mul scalefont setfont 0 setgray n 20 mul n 45 mul moveto
      n 7 mul rotate (Page and Words 0123456789 \(fi\)) show n -7 mul rotate } for } forall
  /d 200 dict def 0 1 20000 { dup 199 mod exch 20 string cvs d 3 1 roll put } for
  /text 4000 string def 0 1 3999 { text exch dup 251 mod put } for
  << /ShadingType 3 /ColorSpace /DeviceRGB /Coords [300 300 10 320 320 200] /Extend [false true]
     /Function << /FunctionType 2 /Domain [0 1] /C0 [1 0 0] /C1 [0 0 1] /N 2 >> >> gsave 100 100 300 300 rectclip shfill grestore
  << /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 9 9] /XStep 9 /YStep 9
     /PaintProc { pop 0 1 0 setrgbcolor 1 1 5 5 rectfill } >> matrix makepattern setpattern 300 20 200 200 rectfill
  gsave 60 500 translate 150 150 scale 50 50 8 [50 0 0 50 0 0] { text 0 2500 getinterval } image grestore
  grestore showpage } for
"""


def prepare(case):
    (case.inputs / "pages.ps").write_text(PAGES, encoding="utf-8")


def run(run):
    pages = run.inputs / "pages.ps"

    def gs(device, *options, file=pages):
        return run.command("gs", *OPTIONS, f"-sDEVICE={device}", *options, file)

    results = {
        device: digest(gs(device)) for device in ("ppmraw", "png16m", "pgmraw", "pbmraw", "pcxmono")
    }
    results["in bands, with threads"] = digest(
        gs("ppmraw", "-dMaxBitmap=0", "-dBufferSpace=300000", "-dNumRenderingThreads=4")
    )
    results["anti-aliased"] = digest(
        gs("png16m", "-dTextAlphaBits=4", "-dGraphicsAlphaBits=4", "-r50")
    )
    # A PDF file has dates in it: what it shows is compared.
    (run.work / "pages.pdf").write_bytes(gs("pdfwrite"))
    results["PDF"] = digest(gs("ppmraw", file="pages.pdf"))
    results["text of the PDF"] = gs("txtwrite", file="pages.pdf")
    return results
