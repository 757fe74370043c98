# SPDX-License-Identifier: MIT
"""nginx: files, compression, a caching proxy, includes, TLS; under load, with a reload."""
import concurrent.futures
import gzip
import http.client
import signal
import socket
import ssl

from harness import Failure, digest, make_text

NEEDS = {"nginx": "nginx-light", "ab": "apache2-utils", "openssl": "openssl"}
SERVED = ("nginx", "ab")

CLIENTS = 6
SIZES = (0, 10, 900, 5000, 40000, 300000, 2000000)
CONFIGURATION = """
daemon off;
worker_processes 2;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
    types { text/html html; text/plain txt; }
    access_log access.log;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
    uwsgi_temp_path t4; scgi_temp_path t5;
    proxy_cache_path cache keys_zone=zone:1m max_size=20m;
    gzip on; gzip_types text/plain; gzip_proxied any; gzip_min_length 100;
    upstream back { server unix:WORK/back.sock; keepalive 8; }
    server {
        listen unix:WORK/front.sock;
        listen unix:WORK/tls.sock ssl;
        listen 127.0.0.1:PORT;
        ssl_certificate INPUTS/cert.pem;
        ssl_certificate_key INPUTS/key.pem;
        root INPUTS;
        location /proxy/ {
            proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache zone; proxy_cache_valid 200 1s; proxy_buffers 8 4k;
        }
        location ~ ^/re/(?<name>[a-z]+)-([0-9]+)$ {
            return 200 "$name/$2 $arg_q $http_x_long\\n";
        }
        location /page { ssi on; }
    }
    server { listen unix:WORK/back.sock; root INPUTS; }
}
"""


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, with TLS if a context is given."""

    def __init__(self, run, name, context=None):
        super().__init__("localhost")
        self.target = run, name, context

    def connect(self):
        run, name, context = self.target
        plain = run.connect(name)
        self.sock = context.wrap_socket(plain) if context else plain


def page():
    lines = [f'<!--# include virtual="/{n % 5}.txt" -->\n<!--# set var="v{n}" value="{n}" -->'
             for n in range(40)]
    return "\n".join([*lines, '<!--# echo var="v7" -->']) + "\n"


def prepare(case):
    for number, size in enumerate(SIZES):
        (case.inputs / f"{number}.txt").write_text(make_text(number, size), encoding="utf-8")
    (case.inputs / "page").mkdir()
    (case.inputs / "page/all.html").write_text(page(), encoding="utf-8")
    case.command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
                 "-keyout", "key.pem", "-out", "cert.pem", chatty=True)
    (case.inputs / "key.pem").chmod(0o644)


def requests(number):
    for i in range(350):
        yield f"/{(i + number) % 6}.txt"
        yield f"/proxy/{i % 6}.txt?{i % 20}"
        yield f"/re/name-{i}?q={number}"
    yield from ("/6.txt", "/proxy/6.txt", "/page/all.html", "/missing")


def get(connection, path, headers):
    """One request; once more on a new connection if this one, which was idle, has been closed.

    A worker that ends after a reload does that.  One that crashes does too: the log tells.
    """
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
    except (ConnectionError, ssl.SSLEOFError):
        connection.close()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
    body = answer.read()
    if answer.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return path, answer.status, digest(body)


def exchange(run, number):
    """One client: a hundred requests on one connection, then the next.  Every third has TLS."""
    context = None
    if number % 3 == 2:
        context = ssl.create_default_context(cafile=run.inputs / "cert.pem")
        context.check_hostname = False
    connection = Connection(run, "tls.sock" if context else "front.sock", context)
    answers = []
    for i, path in enumerate(requests(number)):
        if i % 100 == 99:
            connection.close()
        headers = {"Accept-Encoding": "gzip"} if i % 2 else {}
        answers.append(get(connection, path, {**headers, "X-Long": "y" * (i % 3000)}))
    connection.close()
    return digest(repr(answers))


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def load(run, *options):
    report = run.text("ab", "-q", "-n", "10000", "-c", "16", *options)
    kept = ("Complete requests", "Failed requests", "Non-2xx", "HTML transferred")
    return [line for line in report.splitlines() if line.startswith(kept)]


def probe(run):
    run.command("nginx", "-v", chatty=True)
    run.command("ab", "-V")


def run(run):
    port = free_port()
    configuration = CONFIGURATION
    for name, value in {"WORK": run.work, "INPUTS": run.inputs, "PORT": port}.items():
        configuration = configuration.replace(name, str(value))
    (run.work / "nginx.conf").write_text(configuration, encoding="utf-8")
    results = {}
    server = run.server("nginx", "-p", run.work, "-c", "nginx.conf", stop=signal.SIGQUIT,
                        nobody=True, ready=lambda: run.connect("front.sock"))
    with server as master, concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        answers = [pool.submit(exchange, run, number) for number in range(CLIENTS)]
        master.send_signal(signal.SIGHUP)  # new workers; the old ones end with their clients
        results["load"] = load(run, f"http://127.0.0.1:{port}/3.txt")
        results["load, kept alive"] = load(run, "-k", f"http://127.0.0.1:{port}/proxy/4.txt")
        for number, answer in enumerate(answers):
            results[f"answers to client {number}"] = answer.result()
    log = (run.work / "server.log").read_text(encoding="utf-8", errors="replace")
    if "exited on signal" in log:
        raise Failure("a worker of nginx crashed", log)
    return results
