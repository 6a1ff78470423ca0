/** What the tabs of one browser tell each other of their conversations. */

const channel = new BroadcastChannel("aiservice.chat");

/** @param {Object} news `{ type: "changed" | "deleted" | "list", session }`. */
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel has none
export const tellTabs = (news) => channel.postMessage(news);

export function onNews(listen) {
  channel.addEventListener("message", ({ data }) => listen(data));
}
