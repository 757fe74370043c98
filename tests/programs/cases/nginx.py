# SPDX-License-Identifier: MIT
"""nginx: static files, compression, a caching proxy, includes and TLS under load, and a reload meanwhile."""
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

CONFIGURATION = """
daemon off; worker_processes 2; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  types {{ text/html html; text/plain txt; application/octet-stream bin; }}
  access_log access.log; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
  uwsgi_temp_path t4; scgi_temp_path t5; proxy_cache_path cache keys_zone=zone:1m max_size=20m;
  gzip on; gzip_types text/plain; gzip_proxied any; gzip_min_length 100;
  upstream back {{ server unix:back.sock; keepalive 8; }}
  server {{
    listen unix:front.sock; listen unix:tls.sock ssl; listen 127.0.0.1:{port};
    ssl_certificate {inputs}/cert.pem; ssl_certificate_key {inputs}/key.pem; root {inputs};
    location /proxy/ {{ proxy_pass http://back/; proxy_cache zone; proxy_cache_valid 200 1s;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffers 8 4k; }}
    location ~ ^/re/(?<name>[a-z]+)-([0-9]+)$ {{ return 200 "$name/$2 $arg_q $http_x_long\\n"; }}
    location /page {{ ssi on; default_type text/html; }}
  }}
  server {{ listen unix:back.sock; root {inputs}; }}
}}
"""


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket, with TLS if a context is given."""

    def __init__(self, run, path, context=None):
        super().__init__("localhost")
        self.parts = run, path, context

    def connect(self):
        run, path, context = self.parts
        plain = run.connect(run.work / path)
        self.sock = context.wrap_socket(plain) if context else plain


def prepare(case):
    for number, size in enumerate((0, 10, 900, 5000, 40000, 300000, 2000000)):
        (case.inputs / f"{number}.txt").write_text(make_text(number, size), encoding="utf-8")
    (case.inputs / "page").mkdir()
    includes = "".join(f'<!--# include virtual="/{n % 5}.txt" -->\n<!--# set var="v{n}" value="{n}" -->\n'
                       for n in range(40))
    (case.inputs / "page/all.html").write_text(includes + '<!--# echo var="v7" -->\n', encoding="utf-8")
    case.command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem", chatty=True)
    (case.inputs / "key.pem").chmod(0o644)


def requests(number):
    for i in range(350):
        yield from (f"/{(i + number) % 6}.txt", f"/proxy/{i % 6}.txt?{i % 20}", f"/re/name-{i}?q={number}")
    yield from ("/6.txt", "/proxy/6.txt", "/page/all.html", "/missing")


def get(connection, path, headers):
    """One request.  A worker that ends after a reload closes idle connections: then once more, on a new one."""
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


def client(run, number):
    """Sends its requests, a hundred on one connection; returns a digest of the answers."""
    context = None
    if number % 3 == 2:
        context = ssl.create_default_context(cafile=run.inputs / "cert.pem")
        context.check_hostname = False
    answers = []
    connection = Connection(run, "tls.sock" if context else "front.sock", context)
    for i, path in enumerate(requests(number)):
        if i % 100 == 99:
            connection.close()
        headers = {"Accept-Encoding": "gzip"} if i % 2 else {}
        answers.append(get(connection, path, {**headers, "X-Long": "y" * (i % 3000)}))
    connection.close()
    return digest(repr(answers))


def probe(run):
    run.command("nginx", "-v", chatty=True)
    run.command("ab", "-V")


def run(run):
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
    # nginx takes a relative name of a socket from its prefix
    configuration = CONFIGURATION.format(inputs=run.inputs, port=port).replace("unix:", f"unix:{run.work}/")
    (run.work / "nginx.conf").write_text(configuration, encoding="utf-8")
    with (run.server("nginx", "-p", run.work, "-c", "nginx.conf", stop=signal.SIGQUIT, nobody=True,
                     ready=lambda: run.connect(run.work / "front.sock")) as master,
          concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool):
        answers = [pool.submit(client, run, number) for number in range(CLIENTS)]
        master.send_signal(signal.SIGHUP)  # new workers; the old ones end when their clients are done
        load = run.text("ab", "-q", "-n", "10000", "-c", "16", f"http://127.0.0.1:{port}/3.txt")
        load += run.text("ab", "-q", "-k", "-n", "10000", "-c", "16", f"http://127.0.0.1:{port}/proxy/4.txt")
        results = {f"answers to client {number}": answer.result() for number, answer in enumerate(answers)}
    log = (run.work / "server.log").read_text(encoding="utf-8", errors="replace")
    if "exited on signal" in log:
        raise Failure("a worker of nginx crashed", log)
    results["load"] = [line for line in load.splitlines()
                       if line.startswith(("Complete requests", "Failed requests", "Non-2xx", "HTML transferred"))]
    return results
