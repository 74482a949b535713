/**
 * A session without a body: it proves that methods can be typed with the types of src/model/, whatever the session does.
 *
 * @module
 */
import type { ModelArgument } from "../../src/model/declared.ts";
import type { Assign, OrderBy, Where } from "../../src/model/query_types.ts";
import type { AnyModel, Entity, Include, Key, Loaded } from "../../src/model/types.ts";

export interface Query<T extends Entity, R = T> {
  where(condition: Where<T>): Query<T, R>;
  orderBy(order: OrderBy<T>): Query<T, R>;
  include<const I extends Include<T>>(relations: I): Query<T, Loaded<T, I>>;
  all(): Promise<R[]>;
  first(): Promise<R | null>;
  one(): Promise<R>;
}

export interface Session {
  query<M extends AnyModel>(model: ModelArgument<M>): Query<InstanceType<M>>;
  get<M extends AnyModel, const I extends Include<InstanceType<M>> = Record<never, never>>(
    model: ModelArgument<M>,
    key: Key<InstanceType<M>>,
    options?: { include?: I },
  ): Promise<Loaded<InstanceType<M>, I> | null>;
  getAll<M extends AnyModel>(
    model: ModelArgument<M>,
    keys: readonly Key<InstanceType<M>>[],
  ): Promise<(InstanceType<M> | null)[]>;
  assign<T extends Entity>(instance: T, values: Assign<T>): T;
  load<T extends Entity, const I extends Include<T>>(instance: T, relations: I): Promise<Loaded<T, I>>;
  add<T extends Entity>(instance: T): T;
}

/** Two types are the same; not only assignable to each other. */
export type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends (<T>() => T extends Y ? 1 : 2) ? true : false;

/** Asks the compiler for `true`. */
export function sure<T extends true>(_proof?: T): void {}
