/** Entry point: wires the header, the tabs and the two panels. */

import { setUpChat } from "./chat.js";
import { byId } from "./dom.js";
import { setUpKeyDialog, takeKeyFromAddress } from "./key.js";
import { setUpPassageDialog } from "./passage.js";
import { setUpTabs } from "./tabs.js";
import { setUpValidation } from "./validate.js";

takeKeyFromAddress();
addEventListener("hashchange", takeKeyFromAddress);
setUpKeyDialog();
setUpPassageDialog();

const tabs = setUpTabs();
const chat = setUpChat();

byId("new-conversation").addEventListener("click", () => {
  tabs.show("chat");
  chat.startOver();
});

setUpValidation({
  ask(question) {
    tabs.show("chat");
    chat.prepare(question);
  },
});
