"""Who is who: a secret that a browser keeps tells its owner from others."""

from __future__ import annotations

import param
from panel.custom import JSComponent


class Owner(JSComponent):
    """Nothing to see: it reads the browser's secret, or makes one, and tells the server.

    The secret stays in this browser's storage, so that trainings survive a reload; another browser has another.
    """

    secret = param.String(default="", doc="32 hexadecimal digits; empty until the browser has told.")

    _esm = """
export function render({model}) {
  const name = "wb-owner"
  let secret = ""
  try { secret = localStorage.getItem(name) || "" } catch { /* then it lasts until the reload */ }
  if (!/^[0-9a-f]{32}$/.test(secret)) {
    secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")
    try { localStorage.setItem(name, secret) } catch { /* as above */ }
  }
  model.secret = secret
  return document.createElement("span")
}
"""
