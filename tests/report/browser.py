"""A page in a real browser without a window: Debian's chromium, told what to do by its own driver."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PHONE, DESKTOP = 360, 1280
_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (_CHROMIUM and _DRIVER),
    reason="chromium and chromedriver are not installed (Debian: chromium, chromium-driver)",
)

_MEASURE = """
const body = document.documentElement;
const wide = [...document.querySelectorAll('body *')].filter(element => {
  const box = element.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 1 || box.left < -1) && !element.closest('.scroll, .plot');
}).map(element => element.tagName + '.' + element.className);
return {overflow: body.scrollWidth - body.clientWidth, wide,
        broken: [...document.images].filter(image => !image.complete || !image.naturalWidth)
          .map(image => image.src.slice(0, 60)),
        images: document.images.length, height: body.scrollHeight,
        tiny: [...document.querySelectorAll('body *')].filter(element =>
          element.childNodes.length && [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())
          && !element.closest('svg') && parseFloat(getComputedStyle(element).fontSize) < 11).length,
        boxes: [...document.querySelectorAll('.scroll, .plot')].filter(box =>
          box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX != 'auto').length};
"""
_FAULTS = """
const faults = [];
const say = (element, what) => faults.push(what + ': ' + element.outerHTML.slice(0, 90));
for (const image of document.images) if (!image.alt.trim()) say(image, 'no alternative text');
for (const picture of document.querySelectorAll('svg'))
  if (!picture.getAttribute('aria-label') && !picture.closest('[aria-label]')) say(picture, 'no name');
for (const head of document.querySelectorAll('th')) {
  if (!head.scope) say(head, 'no scope');
  if (!head.textContent.trim()) say(head, 'empty heading');
}
for (const table of document.querySelectorAll('table'))
  if (!table.querySelector('th')) say(table, 'no heading');
for (const box of document.querySelectorAll('.scroll, .plot'))
  if (box.tabIndex != 0 || !box.getAttribute('aria-label')) say(box, 'not for the keyboard');
if (!document.documentElement.lang) faults.push('no language');
if (document.querySelectorAll('h1').length != 1) faults.push('no one heading');
if (!document.querySelector('main')) faults.push('no main part');
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = colour => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
};
const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
const behind = element => {
  const layers = [];
  for (let up = element; up; up = up.parentElement) layers.unshift(rgba(getComputedStyle(up).backgroundColor));
  return layers.reduce((below, top) => over(top, below), [255, 255, 255]);
};
const light = colour => {
  const [r, g, b] = colour.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
for (const element of document.querySelectorAll('body *')) {
  if (element.matches('style, script')) continue;
  if (![...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())) continue;
  const style = getComputedStyle(element), paper = behind(element);
  const ink = over(rgba(element.closest('svg') ? style.fill : style.color), paper);
  const [low, high] = [light(ink), light(paper)].sort((a, b) => a - b);
  const contrast = (high + .05) / (low + .05);
  if (contrast < 4.5) say(element, 'contrast ' + contrast.toFixed(2));
}
return faults;
"""


@dataclass(frozen=True)
class Shown:
    """What a page did at one width: pixels that it is too wide, elements that stick out outside boxes that scroll,
    images that did not load, texts below 11 pixels, boxes that cut without scrolling, and requests to the network."""

    overflow: int
    wide: list[str]
    broken: list[str]
    images: int
    tiny: int
    boxes: int
    console: list[str]
    requests: list[str]


class Browser:
    """One chromium; pages are opened one after the other."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def show(self, page: Path, width: int, dark: bool = False) -> Shown:
        """Open a page of the file system at a width in pixels."""
        self._logs()
        phone = {"mobile": width < DESKTOP, "deviceScaleFactor": 1, "width": width, "height": 800}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self._driver.get(page.resolve().as_uri())
        found = self._driver.execute_script(_MEASURE)
        console, requests = self._logs()
        names = ("overflow", "wide", "broken", "images", "tiny", "boxes")
        asked = [address for address in requests if address != page.resolve().as_uri()]
        return Shown(**{name: found[name] for name in names}, console=console, requests=asked)

    def faults(self) -> list[str]:
        """What keeps people from reading the page that is open: names, headings, keyboard, contrast (WCAG 2.1, AA)."""
        found: list[str] = self._driver.execute_script(_FAULTS)
        return found

    def _logs(self) -> tuple[list[str], list[str]]:
        """Console messages, and addresses asked for (data: aside), since the last call."""
        console = [entry["message"] for entry in self._driver.get_log("browser")]
        events = [json.loads(entry["message"])["message"] for entry in self._driver.get_log("performance")]
        sent = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return console, [address for address in sent if not address.startswith("data:")]


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """A chromium with a profile of its own, ended when the context ends."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(_CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    flags = ["headless=new", "disable-gpu", "disable-dev-shm-usage", "no-first-run", f"user-data-dir={profile}"]
    if os.getuid() == 0:
        flags.append("no-sandbox")  # chromium's sandbox does not start as root
    for flag in flags:
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service(str(_DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
