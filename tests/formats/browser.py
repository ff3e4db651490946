# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium over its debugging pipe: opens HTML reports and looks at what was drawn."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
WIDTHS = {"desktop": 1280, "phone": 360}
THEMES = ("light", "dark")

# What is drawn, and how: run in the page.
LOOK = """(() => {
  const box = e => e.getBoundingClientRect();
  const marks = [...document.querySelectorAll('svg .mark')];
  const inside = e => { const b = box(e), c = box(e.closest('.chart'));
    return b.width > 1 && b.height > 1 && b.left >= c.left - 8 && b.right <= c.right + 8 && b.top >= c.top - 8 && b.bottom <= c.bottom + 8; };
  const texts = chart => [...chart.querySelectorAll('text')].map(t => [t.textContent, box(t)]);
  const overlaps = [];
  for (const chart of document.querySelectorAll('.chart')) {
    const all = texts(chart);
    all.forEach(([a, p], i) => all.slice(i + 1).forEach(([b, q]) => {
      if (p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom) overlaps.push(a + ' | ' + b); }));
  }
  const luminance = colour => { const m = colour.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
    return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); }); return 0.2126 * m[0] + 0.7152 * m[1] + 0.0722 * m[2]; };
  const background = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(c) && c !== 'transparent') return c; } return 'rgb(255, 255, 255)'; };
  const faint = [];
  for (const e of document.querySelectorAll('h1,h2,h3,p,td,th,dt,dd,li,a,b,small,code,span,summary,figcaption')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !box(e).width) continue;
    const a = luminance(getComputedStyle(e).color), b = luminance(background(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(e.tagName + ' ' + e.className + ' ' + ratio.toFixed(2) + ': ' + e.textContent.slice(0, 40));
  }
  return {marks: marks.length, lost: marks.filter(m => !inside(m)).length, lanes: document.querySelectorAll('.lanes').length,
    lines: document.querySelectorAll('polyline.line').length, bars: document.querySelectorAll('.bar').length,
    overlaps, faint: [...new Set(faint)], overflow: document.documentElement.scrollWidth - innerWidth,
    unnamed: [...document.querySelectorAll('[aria-labelledby]')].filter(e => !document.getElementById(e.getAttribute('aria-labelledby'))).length,
    small: [...document.querySelectorAll('svg text')].filter(t => parseFloat(getComputedStyle(t).fontSize) < 10.5).length,
    dark: matchMedia('(prefers-color-scheme: dark)').matches, background: getComputedStyle(document.body).backgroundColor,
    scripts: document.scripts.length, title: document.title};
})()"""


class NoBrowser(Exception):
    """There is no Chromium here."""


class Browser:
    def __init__(self):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if not program:
            raise NoBrowser("no Chromium is installed (chromium-headless-shell)")
        self.profile = tempfile.TemporaryDirectory(prefix="epaudit-browser-", ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        self.read_fd, self.write_fd = ours_in, ours_out

        def wire():  # Chromium reads commands from 3 and answers on 4
            first, second = os.dup2(theirs_in, 10), os.dup2(theirs_out, 11)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--remote-debugging-pipe", "--hide-scrollbars",
             "--user-data-dir=" + self.profile.name, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=wire)
        os.close(theirs_in)
        os.close(theirs_out)
        self.buffer, self.number, self.session, self.events = b"", 0, None, []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_fd)
        os.close(self.write_fd)
        self.profile.cleanup()

    def message(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.read_fd], [], [], left)[0]:
                raise TimeoutError(f"Chromium said nothing for {seconds} s")
            part = os.read(self.read_fd, 1 << 16)
            if not part:
                raise RuntimeError("Chromium is gone")
            self.buffer += part
        one, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.write_fd, json.dumps(request).encode() + b"\0")
        while True:
            answer = self.message(60)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path, width, theme):
        """Loads a file; returns what it complained about and asked the network for."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.events = []
        self.call("Page.navigate", url="file://" + str(path))
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.message(60))
        errors, requests = [], []
        for event in self.events:
            method, parameters = event.get("method"), event.get("params", {})
            if method == "Log.entryAdded":
                errors.append(parameters["entry"]["text"])
            elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                errors.append(json.dumps(parameters)[:300])
            elif method == "Network.requestWillBeSent":
                requests.append(parameters["request"]["url"])
        return errors, requests

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"]["value"]

    def screenshot(self, path, beyond=True):
        """Of the whole page, or of what the window shows of it."""
        image = self.call("Page.captureScreenshot", captureBeyondViewport=beyond)
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))


def problems(browser, path, charts=True, pictures=None):
    """Opens a report at every width and theme; returns what is wrong with it, one text each."""
    wrong, backgrounds = [], {}
    for device, width in WIDTHS.items():
        for theme in THEMES:
            errors, requests = browser.open(path, width, theme)
            seen = browser.evaluate(LOOK)
            if pictures:
                browser.screenshot(os.path.join(pictures, f"{os.path.basename(path)}-{device}-{theme}.png"))
            backgrounds[theme] = seen["background"]
            tests = {
                "console: " + "; ".join(errors): not errors,
                f"requests {requests}": all(r.startswith(("file://" + str(path), "data:")) for r in requests),
                "no marks were drawn": not charts or seen["marks"] > 0,
                "no lanes": not charts or seen["lanes"] > 0,
                f"{seen['lost']} marks lie outside their chart": seen["lost"] == 0,
                f"labels overlap: {seen['overlaps']}": not seen["overlaps"],
                f"too little contrast: {seen['faint']}": not seen["faint"],
                f"the page is {seen['overflow']} px wider than the screen": seen["overflow"] <= 0,
                f"{seen['unnamed']} drawings have no name": seen["unnamed"] == 0,
                f"{seen['small']} labels are too small": seen["small"] == 0,
                "there is a script": seen["scripts"] == 0,
                "theme not taken": seen["dark"] == (theme == "dark"),
            }
            wrong += [f"{device}, {theme}: {text}" for text, fine in tests.items() if not fine]
    if backgrounds["light"] == backgrounds["dark"]:
        wrong.append("light and dark look alike")
    return wrong
