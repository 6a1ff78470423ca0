/** What to ask the assistant about a finding. */

export function questionAbout({ code, message, path }, mode, summary) {
  if (summary?.title) {
    const file = `un archivo (${summary.title})`;
    return `Al revisar ${file} apareció ${code}: «${message}» ¿Qué significa y qué hago?`;
  }
  const kind = summary?.type_name ? ` de una ${summary.type_name}` : "";
  const field = path && path !== "/" ? ` (campo ${path})` : "";
  const [what, next] =
    mode === "reception"
      ? [`el XML${kind} de un proveedor`, "qué debo hacer"]
      : [`el XML${kind}`, "cómo lo corrijo"];
  const finding = `el hallazgo ${code}${field}: «${message}»`;
  return `Al validar ${what} apareció ${finding} ¿Qué significa y ${next}?`;
}
