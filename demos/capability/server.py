"""The local service of the demo: answers GET /v1/weather with JSON; prints its port when it listens."""
import http.server
import json


class Weather(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path == "/v1/weather"
        body = json.dumps({"temperature": 21, "wind": "calm"} if known else {"error": "no such path"}).encode()
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weather)
print(server.server_address[1], flush=True)
server.serve_forever()
