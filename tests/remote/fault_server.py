"""A service on loopback that behaves, and misbehaves, as the URL says: /s/SCENARIO/chat/completions.

Prints {"port": N}, ends when its stdin closes. README.md has the scenarios; fault_scenarios.py plays them.
"""

import asyncio
import json
import os
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

sys.dont_write_bytecode = True

import fault_encodings  # noqa: E402 (after the line above on purpose)
import fault_scenarios  # noqa: E402


class Disconnected(Exception):
    """The connection is gone; the argument is how, for the log."""


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Request:
    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.path = urllib.parse.urlsplit(target).path  # what comes through a proxy names the host too

    def json(self):
        """The body as an object; {} when it is not one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Reply:
    """Writes one answer. `modifiers` change how: see README.md."""

    LINE_ENDS = {"crlf": "\r\n", "cr": "\r"}

    def __init__(self, reader, writer, modifiers):
        self.reader, self.writer, self.modifiers = reader, writer, modifiers
        self.line_end = next((self.LINE_ENDS[name] for name in modifiers if name in self.LINE_ENDS), "\n")
        self.keeps_open = "close" not in modifiers
        self.chunked = False
        self.encoding, encoder = next(
            (fault_encodings.ENCODINGS[name] for name in modifiers if name in fault_encodings.ENCODINGS), (None, None)
        )
        self.encoder = encoder and encoder()

    async def send(self, data):
        """Bytes to the wire as they are; with `split` each in a send of its own."""
        try:
            if "split" not in self.modifiers:
                self.writer.write(data)
                await self.writer.drain()
                return
            for byte in data:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, ssl.SSLError) as error:
            raise Disconnected("client closed") from error

    async def head(self, status, content_type, headers=(), length=None):
        lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {content_type}", "X-Request-Id: req-1"]
        lines += [f"{name}: {value}" for name, value in headers]
        if self.encoding:
            lines.append(f"Content-Encoding: {self.encoding}")
        self.chunked = length is None and self.keeps_open
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif length is not None:
            lines.append(f"Content-Length: {length}")
        if not self.keeps_open:
            lines.append("Connection: close")
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def data(self, data):
        """Bytes of a body whose length was not given."""
        await self.coded(self.encoder.push(data) if self.encoder else data)

    async def coded(self, data):
        if data:
            await self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    async def end(self):
        if "late-end" in self.modifiers:
            await asyncio.sleep(0.005)
        if self.encoder:
            await self.coded(self.encoder.end())
        if self.chunked:
            await self.send(b"0\r\n\r\n")

    async def whole(self, status, data, content_type="application/json", headers=()):
        """A complete answer that is no event stream. `keep-alive`: blank lines before it."""
        if isinstance(data, (dict, list)):
            data = compact(data)
        data = data.encode() if isinstance(data, str) else data
        if "keep-alive" not in self.modifiers:
            if self.encoder:
                data = self.encoder.push(data) + self.encoder.end()
            await self.head(status, content_type, headers, len(data))
            await self.send(data)
            return
        await self.head(status, content_type, headers)
        for _ in range(3):
            await self.data(b"\n")
            await asyncio.sleep(0.02)
        await self.data(data)
        await self.end()

    async def begin_events(self):
        await self.head(200, "text/event-stream; charset=utf-8")
        if "bom" in self.modifiers:
            await self.data(b"\xef\xbb\xbf")
        if "keep-alive" in self.modifiers:
            for _ in range(3):
                await self.comment("keep-alive")
                await asyncio.sleep(0.02)

    async def comment(self, text):
        await self.data(f": {text}{self.line_end}{self.line_end}".encode())

    def event_bytes(self, name, data):
        text = data if isinstance(data, str) else compact(data)
        if "lines" in self.modifiers and not isinstance(data, str):
            text = json.dumps(data, ensure_ascii=False, indent=1)
        colon = "data:" if "no-space" in self.modifiers else "data: "
        lines = [f"event: {name}"] if name else []
        if text == "[DONE]":
            text = '"[DONE]"' if "done-in-quotes" in self.modifiers else text
            text = "[done]" if "done-in-small" in self.modifiers else text
        lines += [colon + line for line in text.split("\n")]
        ends = 1 if "one-line-end" in self.modifiers else 2
        return (self.line_end.join(lines) + ends * self.line_end).encode()

    async def event(self, name, data):
        await self.data(self.event_bytes(name, data))
        if "slow" in self.modifiers:
            await asyncio.sleep(0.02)

    async def events(self, events):
        """The body of an event stream, all of it."""
        await self.begin_events()
        for name, data in events:
            await self.event(name, data)
        await self.end()

    async def hang(self):
        """Silence until the client gives up."""
        try:
            while await self.reader.read(1024):
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        raise Disconnected("client closed")

    def reset(self):
        """The connection ends with RST."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Disconnected("reset")

    def close(self):
        raise Disconnected("closed")


class Server:
    def __init__(self):
        self.connections = 0
        self.log = {}  # scenario -> requests
        self.states = {}  # scenario -> what it remembers

    async def serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while request := await self.read_request(reader):
                if not await self.answer(request, number, Reply(reader, writer, set())):
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, Disconnected):
            pass
        finally:
            writer.close()

    @staticmethod
    async def read_request(reader):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            return None
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body)

    async def answer(self, request, connection, reply):
        """True: the connection can be used again."""
        if request.method == "CONNECT":
            await fault_scenarios.refuse_tunnel(request, reply)
            return False
        if not request.path.startswith("/s/"):
            await self.control(request, reply)
            return True
        scenario, _, service = request.path[3:].partition("/")
        request.service = "/" + service
        entry = {
            "connection": connection,
            "method": request.method,
            "path": request.service,
            "target": request.target,
            "headers": request.headers,
            "body": request.body.decode("utf-8", "replace"),
            "outcome": "open",
        }
        self.log.setdefault(scenario, []).append(entry)
        state = self.states.setdefault(scenario, {"requests": 0, "active": 0})
        state["requests"] += 1
        state["active"] += 1
        try:
            name, modifiers = fault_scenarios.step(scenario, state["requests"])
            reply = Reply(reply.reader, reply.writer, modifiers)
            await fault_scenarios.play(name, request, reply, state)
            entry["outcome"] = "complete"
        except Disconnected as disconnected:
            entry["outcome"] = str(disconnected)
            return False
        finally:
            state["active"] -= 1
        return reply.keeps_open

    async def control(self, request, reply):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.target).query)
        scenario = query.get("scenario", [None])[0]
        if request.path == "/log":
            await reply.whole(200, self.log.get(scenario, []) if scenario else self.log)
        elif request.path == "/reset" and request.method == "POST":
            for kept in (self.log, self.states):
                for name in [scenario] if scenario else list(kept):
                    kept.pop(name, None)
            await reply.whole(200, {})
        else:
            await reply.whole(404, {"error": {"message": "no such page"}})


async def main(arguments):
    context = None
    if arguments:  # certificate and key: serves TLS
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    server = await asyncio.start_server(Server().serve, sock=listener, ssl=context)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    await server.serve_forever()


def end_with_stdin():
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_stdin, daemon=True).start()
    asyncio.run(main(sys.argv[1:]))
