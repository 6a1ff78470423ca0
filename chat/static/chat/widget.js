/**
 * The assistant on any page, by one tag:
 *
 *   <script
 *     src="https://dte.example.cl/static/chat/widget.js"
 *     data-token-url="/asistente/token"
 *     defer
 *   ></script>
 *
 * The address in data-token-url belongs to the page's own server, which holds the API key and
 * answers a POST with what the service answered it: {"token": "…", "expires_in": 3600}.
 * docs/widget.md says more.
 */
(() => {
  const script = document.currentScript;
  const service = new URL(script.src).origin;
  const { tokenUrl, label = "Asistente" } = script.dataset;
  const RENEW_SECONDS = 60; // before its end, so that no question fails for it

  let validUntil = 0;

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.setAttribute("aria-expanded", "false");
  Object.assign(button.style, {
    position: "fixed",
    right: "16px",
    bottom: "16px",
    zIndex: "2147483000",
    padding: "12px 18px",
    border: "0",
    borderRadius: "24px",
    background: "#0b5c7f",
    color: "#fff",
    font: "600 16px/1.2 system-ui, sans-serif",
    cursor: "pointer",
    boxShadow: "0 2px 10px rgb(0 0 0 / 30%)",
  });

  const frame = document.createElement("iframe");
  frame.title = label;
  frame.hidden = true;
  frame.allow = "clipboard-write";
  Object.assign(frame.style, {
    position: "fixed",
    right: "16px",
    bottom: "76px",
    zIndex: "2147483000",
    width: "min(420px, calc(100vw - 32px))",
    height: "min(640px, calc(100vh - 100px))",
    border: "1px solid #8a949b",
    borderRadius: "12px",
    background: "#fff",
    boxShadow: "0 8px 30px rgb(0 0 0 / 30%)",
  });

  const notice = document.createElement("p");
  notice.setAttribute("role", "alert");
  notice.hidden = true;
  Object.assign(notice.style, {
    position: "fixed",
    right: "16px",
    bottom: "64px",
    zIndex: "2147483000",
    maxWidth: "320px",
    padding: "10px 14px",
    borderRadius: "8px",
    background: "#fff",
    color: "#8a1c1c",
    font: "15px/1.4 system-ui, sans-serif",
    boxShadow: "0 2px 10px rgb(0 0 0 / 30%)",
  });

  async function renew() {
    const response = await fetch(tokenUrl, { method: "POST", credentials: "same-origin" });
    if (!response.ok) throw new Error(`${tokenUrl}: ${response.status}`);
    const { token, expires_in: seconds } = await response.json();
    validUntil = Date.now() + (seconds - RENEW_SECONDS) * 1000;
    // After #, so that the token is in no request and no log; a new query makes the frame load
    // anew.
    frame.src = `${service}/?widget=${Date.now()}#key=${encodeURIComponent(token)}`;
  }

  async function show() {
    if (Date.now() >= validUntil) await renew();
    frame.hidden = false;
    frame.focus();
  }

  function hide() {
    frame.hidden = true;
    button.focus();
  }

  button.addEventListener("click", async () => {
    const opening = frame.hidden;
    notice.hidden = true;
    try {
      await (opening ? show() : hide());
      button.setAttribute("aria-expanded", String(opening));
    } catch (error) {
      notice.textContent = "El asistente no está disponible en este momento.";
      notice.hidden = false;
      console.error("asistente:", error);
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || frame.hidden) return;
    hide();
    button.setAttribute("aria-expanded", "false");
  });

  document.body.append(frame, notice, button);
})();
