// The changes that may be made from the page, each with the token, which is kept in its field and nowhere else.

import { byId } from "./elements.js";

// Give the header for a token. What no token can be becomes a wrong one, which the server refuses in words.
export function bearing(token) {
  const given = token.trim();
  return given ? { "x-aiocache-kit-token": /^[!-~]+$/.test(given) ? given : "-" } : {};
}

async function ask(name, what) {
  const answer = await fetch(`actions/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...bearing(byId("action-token").value) },
    body: JSON.stringify(what),
  });
  const said = await answer.json();
  return answer.ok ? said.done : `Nothing was changed: ${said.error}.`;
}

// Offer the actions; `provider` gives the name of the one that is shown.
export function offerActions(provider) {
  const say = (text) => { byId("said").textContent = text; };

  async function tell(name, what) {
    say("…");
    try {
      say(await ask(name, what));
    } catch {
      say("There was no answer, so nobody knows whether it was done.");
    }
  }

  const on = (form, field, name) =>
    byId(form).addEventListener("submit", (event) => {
      event.preventDefault();
      tell(form, { provider: provider(), [name]: byId(field).value });
    });
  on("invalidate", "tag", "tag");
  on("delete", "key", "key");

  const sure = byId("sure");
  byId("clear").addEventListener("click", () => {
    byId("sure-of").textContent = provider();
    sure.showModal();
  });
  byId("keep").addEventListener("click", () => sure.close());
  byId("remove").addEventListener("click", () => {
    sure.close();
    tell("clear", { provider: byId("sure-of").textContent });
  });
  byId("actions").hidden = false;
}
