/**
 * Setting and expiring properties of an instance.
 *
 * @module
 */
import { ValidationError } from "../errors.ts";
import type { MappedColumn } from "../model/mapper.ts";
import { Sql } from "../sql/tag.ts";
import { expireColumns, hide, type InstanceState, show } from "../state/instance_state.ts";
import { WHY_EXPRESSION } from "../state/restore.ts";
import type { Tracker } from "../state/tracker.ts";

/** Sets properties to values or SQL expressions: all of them, or none when one cannot be. */
export function assignProperties(state: InstanceState, values: object): void {
  const entries = Object.entries(values).map(([property, value]): [MappedColumn, unknown] => [
    state.mapper.column(property, "assign"),
    value,
  ]);
  for (const [column, value] of entries) refuseAssign(state, column, value);
  for (const [{ property }, value] of entries) {
    show(state, property, value instanceof Sql ? null : value);
    if (!(value instanceof Sql)) continue;
    state.expressions = new Map(state.expressions ?? []).set(property, value);
    hide(state, property, WHY_EXPRESSION);
  }
}

function refuseAssign(state: InstanceState, column: MappedColumn, value: unknown): void {
  const name = `${state.mapper.model}.${column.property}`;
  if (column.generated !== null) throw new ValidationError(`Cannot assign ${name}: the database computes it`);
  if (value === undefined) throw new ValidationError(`Cannot assign undefined to ${name}; use null, or leave it out`);
  if (value instanceof Sql && (column.primaryKey || column.version)) {
    throw new ValidationError(
      `Cannot assign an SQL expression to ${name}: it is the ${column.version ? "version" : "primary key"}`,
    );
  }
}

/** Makes some of what an instance holds unknown: columns until they are refreshed, relations until they are loaded. */
export function expireProperties(tracker: Tracker, state: InstanceState, properties: readonly string[]): void {
  if (!Array.isArray(properties)) {
    throw new ValidationError(`expire() of ${state.mapper.model} takes an array of properties`);
  }
  const relations = properties.filter((name) => state.mapper.relation(name) !== undefined);
  const columns = properties.filter((name) => !relations.includes(name)).map((name) =>
    state.mapper.column(name, "expire")
  );
  tracker.keepGiven(state);
  expireColumns(state, columns.filter((column) => !column.primaryKey));
  if (state.expressions !== null) {
    const rest = new Map([...state.expressions].filter(([name]) => !properties.includes(name)));
    state.expressions = rest.size === 0 ? null : rest;
  }
  const kept = new Map(state.relations ?? []);
  for (const name of relations) {
    kept.delete(name);
    delete state.instance[name];
  }
  state.relations = kept;
}
