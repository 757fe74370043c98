# SPDX-License-Identifier: MIT
"""ghostscript: the same pages as rasters of several kinds, in threads, as PDF, and as text."""
from harness import SCRIPTS, digest

NEEDS = {"gs": "ghostscript"}
SERVED = ("gs",)


def run(run):
    def gs(device, *options, file=SCRIPTS / "pages.ps"):
        return run.command("gs", "-q", "-dBATCH", "-dNOPAUSE", "-dSAFER", "-r100", "-o", "-",
                           f"-sDEVICE={device}", *options, file)
    results = {device: digest(gs(device))
               for device in ("ppmraw", "png16m", "pgmraw", "pbmraw", "pcxmono")}
    results["in threads"] = digest(gs("ppmraw", "-dMaxBitmap=0", "-dBufferSpace=300000",
                                      "-dNumRenderingThreads=4"))
    results["anti-aliased"] = digest(gs("png16m", "-dTextAlphaBits=4", "-dGraphicsAlphaBits=4"))
    # A PDF file has dates in it: what it shows is compared.
    (run.work / "pages.pdf").write_bytes(gs("pdfwrite"))
    results["PDF"] = digest(gs("ppmraw", file="pages.pdf"))
    results["text of the PDF"] = gs("txtwrite", file="pages.pdf")
    return results
