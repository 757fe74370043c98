# SPDX-License-Identifier: MIT
"""openssl: ciphers and digests of a file, keys and certificates, a signed message, TLS."""
import random

from harness import Failure, digest

NEEDS = {"openssl": "openssl"}
SERVED = ("openssl",)

DIGESTS = ("sha256", "sha3-512", "blake2b512", "md5")
CIPHERS = ("aes-256-cbc", "aes-256-ctr", "chacha20", "camellia-256-cbc")
KEY = ("-K", "00112233445566778899aabbccddeeff" * 2, "-iv", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
CONNECTIONS = 20
# A short relative name: openssl 3.0 ends if the socket has a longer one.
SOCKET = "tls.sock"


def prepare(case):
    (case.inputs / "data").write_bytes(random.Random(9).randbytes(4 << 20))


def probe(run):
    run.command("openssl", "version")


def ciphers(run, data):
    results = {}
    packed = run.work / "packed"
    for cipher in CIPHERS:
        packed.write_bytes(run.command("openssl", "enc", f"-{cipher}", *KEY, "-in", data))
        results[cipher] = digest(packed)
        again = run.command("openssl", "enc", "-d", f"-{cipher}", *KEY, "-in", packed)
        if digest(again) != digest(data):
            raise Failure(f"{cipher}: decryption does not give back the data")
    return results


def certificates(run, data):
    """The keys are random: only that everything fits together can be compared."""
    def openssl(text):
        return run.command("openssl", *text.split(), chatty=True)
    openssl("req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.pem")
    openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=leaf"
            " -keyout leaf.key -out leaf.csr")
    openssl("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem")
    openssl(f"cms -sign -binary -in {data} -signer leaf.pem -inkey leaf.key -outform DER"
            " -nodetach -out signed")
    return {"chain": openssl("verify -CAfile ca.pem leaf.pem"),
            "signed": digest(openssl("cms -verify -in signed -inform DER -CAfile ca.pem"
                                     " -purpose any -binary"))}


def connections(run):
    """Connections one after the other; how many of them were TLS 1.3, by what the server says."""
    server = run.server("openssl", "s_server", "-unix", SOCKET, "-cert", "leaf.pem", "-key",
                        "leaf.key", "-www", "-naccept", CONNECTIONS, "-quiet", stop=None,
                        ready=(run.work / SOCKET).exists)
    count = 0
    with server:
        for _ in range(CONNECTIONS):
            answer = run.command("openssl", "s_client", "-unix", SOCKET, "-CAfile", "ca.pem",
                                 "-verify_return_error", "-quiet", "-ign_eof", chatty=True,
                                 stdin=b"GET / HTTP/1.0\r\n\r\n")
            count += b"TLSv1.3" in answer
    return count


def run(run):
    data = run.inputs / "data"
    results = {name: run.command("openssl", "dgst", f"-{name}", data) for name in DIGESTS}
    results.update(ciphers(run, data))
    results.update(certificates(run, data))
    results["connections"] = connections(run)
    return results
