/** Entry point: wires the header, the tabs and the two panels. */

import { onAddressChange, readAddress, writeAddress } from "./address.js";
import { setUpChat } from "./chat/setup.js";
import { byId } from "./dom.js";
import { setUpKeyDialog, takeKeyFromAddress } from "./key.js";
import { setUpPassageDialog } from "./chat/passage.js";
import { setUpTabs } from "./tabs.js";
import { setUpValidation } from "./validate/validate.js";

takeKeyFromAddress();
addEventListener("hashchange", takeKeyFromAddress);
setUpKeyDialog(() => {
  chat.changeKey();
});
setUpPassageDialog();

const validation = setUpValidation({
  ask(question) {
    show("chat");
    chat.prepare(question);
  },
});
const addressOf = (tab) =>
  tab === "validate" ? { vista: "validar", ...validation.address() } : {};
const tabs = setUpTabs((tab) => writeAddress(addressOf(tab)));
const chat = setUpChat((files) => {
  show("validate");
  validation.validateFiles(files);
});

function show(tab) {
  tabs.show(tab);
  writeAddress(addressOf(tab));
}

function follow({ vista, ...rest }) {
  tabs.show(vista === "validar" ? "validate" : "chat");
  if (vista === "validar") validation.open(rest);
}

byId("new-conversation").addEventListener("click", () => {
  show("chat");
  chat.startOver();
});

onAddressChange(follow);
follow(readAddress());
