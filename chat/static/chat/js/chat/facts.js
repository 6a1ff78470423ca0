/** What is known of an answer: who gave it and why, how well it is grounded, what it cost. */

import { costOf, counted, el } from "../dom.js";

/** The facts in one line, or null when there are none. */
export function factsOf(metadata) {
  const {
    tokens_used: tokens,
    plugin_used: plugin,
    plugin_title: title,
    plugin_reason: reason,
    model,
    grounding,
    llm_used: by,
  } = metadata;
  const facts = [];
  if (title && plugin !== "general") facts.push(reason ? `${title}: ${reason}` : title);
  if (by !== "offline" && Number.isFinite(grounding))
    facts.push(`${Math.round(100 * grounding)} % de las frases con respaldo en las fuentes`);
  if (model) facts.push(model);
  if (tokens?.total_tokens) facts.push(counted(tokens.total_tokens, "token", "tokens"));
  facts.push(...costOf(metadata));
  return facts.length ? el("span", { class: "facts" }, facts.join(" · ")) : null;
}
