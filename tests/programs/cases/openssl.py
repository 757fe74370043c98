# SPDX-License-Identifier: MIT
"""openssl: ciphers and digests of a file, keys and certificates, a signed message, a TLS connection."""
import random

from harness import Failure, digest

NEEDS = {"openssl": "openssl"}
SERVED = ("openssl",)
KEY = ("-K", "00112233445566778899aabbccddeeff" * 2, "-iv", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")


def prepare(case):
    (case.inputs / "data").write_bytes(random.Random(9).randbytes(4 << 20))


def probe(run):
    run.command("openssl", "version")


def run(run):
    data = run.inputs / "data"

    def openssl(*words, chatty=False, stdin=b""):
        return run.command("openssl", *words, chatty=chatty, stdin=stdin)
    results = {name: openssl("dgst", f"-{name}", data) for name in ("sha256", "sha3-512", "blake2b512", "md5")}
    for cipher in ("aes-256-cbc", "aes-256-ctr", "chacha20", "camellia-256-cbc"):
        packed = run.work / "packed"
        packed.write_bytes(openssl("enc", f"-{cipher}", *KEY, "-in", data))
        results[cipher] = digest(packed)
        if digest(openssl("enc", "-d", f"-{cipher}", *KEY, "-in", packed)) != digest(data):
            raise Failure(f"{cipher}: decryption does not give back the data")
    # Keys are random: only that everything fits together can be compared.
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem",
            chatty=True)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-subj", "/CN=leaf",
            "-keyout", "leaf.key", "-out", "leaf.csr", chatty=True)
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", "leaf.pem", chatty=True)
    results["chain"] = openssl("verify", "-CAfile", "ca.pem", "leaf.pem")
    openssl("cms", "-sign", "-binary", "-in", data, "-signer", "leaf.pem", "-inkey", "leaf.key", "-outform", "DER",
            "-nodetach", "-out", "signed")
    results["signed"] = digest(openssl("cms", "-verify", "-in", "signed", "-inform", "DER", "-CAfile", "ca.pem",
                                       "-purpose", "any", "-binary", chatty=True))
    # A short name: openssl 3.0 can't print the address of a socket with a longer one.
    sock = "tls.sock"
    with run.server("openssl", "s_server", "-unix", sock, "-cert", "leaf.pem", "-key", "leaf.key", "-www",
                    "-naccept", "20", "-quiet", stop=None, ready=(run.work / sock).exists):
        for number in range(20):
            answer = openssl("s_client", "-unix", sock, "-CAfile", "ca.pem", "-verify_return_error", "-quiet",
                             "-ign_eof", stdin=b"GET / HTTP/1.0\r\n\r\n", chatty=True)
            results[f"TLS connection {number}"] = answer.count(b"TLSv1.3") > 0
    return results
