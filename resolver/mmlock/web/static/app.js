// What is nicer with JavaScript: copying commands. Everything works without it.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text.trim());
    button.textContent = "copied";
  } catch {
    button.textContent = "select it";
  }
  setTimeout(() => { button.textContent = "copy"; }, 1500);
});
for (const box of document.querySelectorAll(".copy")) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.copy = "";
  button.textContent = "copy";
  box.append(button);
}
