/** What a verdict and a finding's gravity are called: when sending, receiving, or of a file. */

const GRAVITY = {
  review: { title: "Por revisar", one: "por revisar", many: "por revisar", icon: "alert" },
  warn: { title: "Avisos", one: "aviso", many: "avisos", icon: "info" },
};

// Both in the order in which they are shown, the worst first.
const WORDS = {
  emission: {
    fix: () => "Cómo corregirlo",
    verdicts: {
      reject: {
        title: "No enviar",
        group: "No enviar",
        detail: "Así como está, el documento no debe enviarse al SII.",
        icon: "stopsign",
      },
      review: {
        title: "Revisar",
        group: "Por revisar",
        detail: "Una persona debe mirar estos puntos antes de enviar.",
        icon: "alert",
      },
      send: {
        title: "Enviar",
        group: "Se pueden enviar",
        detail: "No hay nada que impida el envío.",
        icon: "ok",
      },
    },
    severities: {
      reject: {
        title: "Impiden el envío",
        one: "hallazgo impide el envío",
        many: "hallazgos impiden el envío",
        icon: "stopsign",
      },
      ...GRAVITY,
    },
  },
  // A file that is neither sent nor received, such as a folio authorisation.
  file: {
    fix: () => "Qué hacer",
    verdicts: {
      reject: {
        title: "Hay que resolverlo",
        group: "Por resolver",
        detail: "Así como está, no sirve o fue rechazado.",
        icon: "stopsign",
      },
      review: {
        title: "Revisar",
        group: "Por revisar",
        detail: "Una persona debe mirar estos puntos.",
        icon: "alert",
      },
      send: {
        title: "En orden",
        group: "En orden",
        detail: "No se encontró nada que objetar.",
        icon: "ok",
      },
    },
    severities: {
      reject: {
        title: "Por resolver",
        one: "punto por resolver",
        many: "puntos por resolver",
        icon: "stopsign",
      },
      ...GRAVITY,
    },
  },
  reception: {
    fix: ({ responsible }) =>
      responsible === "receiver" ? "Qué puede hacer usted" : "Qué debe corregir el emisor",
    verdicts: {
      reject: {
        title: "No aceptar",
        group: "No aceptar",
        detail: "Así como está, el documento no debe aceptarse.",
        icon: "stopsign",
      },
      review: {
        title: "Revisar",
        group: "Por revisar",
        detail: "Una persona debe mirar estos puntos antes de aceptar.",
        icon: "alert",
      },
      send: {
        title: "En regla",
        group: "En regla",
        detail: "No se encontró nada que objetar.",
        icon: "ok",
      },
    },
    severities: {
      reject: {
        title: "Impiden aceptarlo",
        one: "hallazgo impide aceptarlo",
        many: "hallazgos impiden aceptarlo",
        icon: "stopsign",
      },
      ...GRAVITY,
    },
  },
};

/** The words for a mode: `verdicts`, `severities` by the service's names, and a finding's `fix`. */
export const wordsFor = (mode) => WORDS[mode];

const SEVERITIES = Object.keys(WORDS.emission.severities);
const severityOf = (finding) => (SEVERITIES.includes(finding.severity) ? finding.severity : "warn");

/** Findings, gravest first, in the service's order within a severity; unknown ones as notices. */
export const bySeverity = (findings) =>
  SEVERITIES.map((severity) => [
    severity,
    findings.filter((one) => severityOf(one) === severity),
  ]).filter(([, group]) => group.length);
