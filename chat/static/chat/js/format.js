/** Dates, RUTs and money as people in Chile write them. */

const pesos = new Intl.NumberFormat("es-CL", { style: "currency", currency: "CLP" });
const amounts = new Intl.NumberFormat("es-CL", { maximumFractionDigits: 4 });
const moments = new Intl.DateTimeFormat("es-CL", {
  day: "2-digit",
  month: "2-digit",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
  timeZone: "America/Santiago",
});

const RUT = /^(\d{1,2})(\d{3})(\d{3})-([\dkK])$/;
const QUOTED_OR_PLAIN = /«[^»]*»|(?<![\w/.-])(?:\d{4}-\d{2}-\d{2}|\d{7,8}-[\dkK])(?![\w/-])/g;

/** 76.543.210-3; what is no RUT stays as it is. */
export const formatRut = (rut) => rut.replace(RUT, "$1.$2.$3-$4");

/** 31-01-2026 from an ISO date, with or without its time; anything else stays as it is. */
export const formatDate = (date) =>
  String(date).replace(/^(\d{4})-(\d{2})-(\d{2})(?:T.*)?$/, "$3-$2-$1");

/** Day and hour in Chile of an ISO moment. */
export const formatMoment = (moment) => moments.format(new Date(moment)).replace(",", "");

/**
 * A sentence of the service with its dates and RUTs in that form. What stands between «» is quoted
 * from the document and stays, or a finding about how it is written would make no sense.
 */
export const readable = (text) =>
  String(text).replace(QUOTED_OR_PLAIN, (found) =>
    found.startsWith("«") ? found : formatRut(formatDate(found)),
  );

/** An amount in its currency; null when there is none. */
export function formatMoney(total, currency) {
  if (total === null || total === undefined || total === "") return null;
  const amount = Number(total);
  if (!Number.isFinite(amount)) return String(total);
  return currency && currency !== "CLP" && currency !== "PESO CL"
    ? `${amounts.format(amount)} ${currency}`
    : pesos.format(amount);
}
