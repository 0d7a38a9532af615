"use strict";
// A challenge from the platform, its signature by the key through the agent on this machine, a session in a cookie
// that this script cannot read. What is not needed for that is not here.

const AGENT = document.body.dataset.agent;
const at = (id) => document.getElementById(id);

class Told extends Error {
  constructor(sentence, choices = []) { super(sentence); this.choices = choices; }
}

async function ask(path, method = "GET", body = undefined) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers, body: body === undefined ? body : JSON.stringify(body) })
    .catch(() => { throw new Told("平台没有应答，请稍后再试"); });
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Told(told.detail, told.choices);
  return told;
}

async function agent(path, body = undefined) {
  const options = { credentials: "omit", referrerPolicy: "no-referrer" };
  if (body !== undefined) Object.assign(options, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  const answer = await fetch(AGENT + path, options)
    .catch(() => { throw new Told("没有找到 CA 锁助手：请在本机启动助手程序（ca-agent）后重新查找"); });
  if (answer.status === 403) throw new Told("您没有同意签名，登录已取消");
  if (answer.status === 404) throw new Told("所选证书的 CA 锁已经拔出，请重新查找");
  if (!answer.ok) throw new Told("CA 锁没有签名，请重新查找后再试");
  return answer.json();
}

function choices(fieldset, name, options) {
  fieldset.querySelectorAll("label").forEach((label) => label.remove());
  for (const [value, text] of options) {
    const label = document.createElement("label"), input = document.createElement("input");
    Object.assign(input, { type: "radio", name, value, required: true, checked: options.length === 1 });
    label.append(input, text);
    fieldset.append(label);
  }
  fieldset.hidden = options.length === 0;
}

function show({ me = null, form = false, again = false, sentence = "" }) {
  at("me").hidden = me === null;
  at("form").hidden = !form;
  at("again").hidden = !again;
  at("result").hidden = sentence === "";
  at("result").textContent = sentence;
  if (me === null) return;
  at("holder").textContent = me.holder;
  at("post").textContent = me.post;
  at("certificate").textContent = me.certificate;
  at("until").textContent = new Date(me.ends_at).toLocaleString("zh-CN", { timeZone: "Asia/Shanghai" });
}

async function look(sentence = "") {
  try {
    const found = await agent("/certificates");
    if (found.length === 0) return show({ again: true, sentence: "没有插入可以用来登录的 CA 锁" });
    choices(at("certificates"), "certificate", found.map((one) => [one.serial, `${one.holder}（${one.serial}）`]));
    choices(at("posts"), "post", []);
    show({ form: true, again: true, sentence });
  } catch (told) {
    show({ again: true, sentence: told.message });
  }
}

async function enter(form) {
  const certificate = form.get("certificate"), post = form.get("post");
  const { nonce } = await ask("/login/challenge", "POST");
  const token = await agent("/login", { certificate, nonce });
  await ask("/login/session", "POST", post === null ? { token } : { token, as: JSON.parse(post) });
}

async function begin(sentence = "") {
  const me = await ask("/login/session").catch(() => null);
  return me === null ? look(sentence) : show({ me });
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("enter").disabled = true;
  try {
    await enter(new FormData(at("form")));
    await begin();
    at("leave").focus();
  } catch (told) {
    if (told.choices.length > 0) choices(at("posts"), "post", told.choices.map(({ name, ...post }) => [JSON.stringify(post), name]));
    show({ form: true, again: true, sentence: told.message });
  } finally {
    at("enter").disabled = false;
  }
});
at("certificates").addEventListener("change", () => choices(at("posts"), "post", []));
at("again").addEventListener("click", () => look());
at("leave").addEventListener("click", async () => {
  await ask("/login/session", "DELETE").catch(() => null);
  await begin();
});
begin();
