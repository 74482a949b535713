/**
 * The check that what an instance declares and what `static relations` says agree. Types only.
 *
 * It stands where a model is used, not where it is declared: reading `static relations` there would be circular.
 *
 * @module
 */
import type { Relation, relationTypes } from "./relations.ts";
import type { AnyModel, ColumnsOf, Target } from "./types.ts";

/** What is wrong with the declared property `P` of the relation `R`, named `K`; never when nothing is. */
type Fault<T, K extends string, R, P> = R extends Relation<infer E, infer Many>
  ? R[typeof relationTypes] extends { readonly kind: "belongsTo"; readonly own: infer Own }
    ? [Exclude<Own, keyof ColumnsOf<T>>] extends [never] ? PropertyFault<K, P, E, Many>
    : `no such property for the foreign key of ${K}: ${Exclude<Own, keyof ColumnsOf<T>> & string}`
  : PropertyFault<K, P, E, Many>
  : `not a relation: ${K}`;

type PropertyFault<K extends string, P, E, Many> = (NonNullable<P> extends readonly unknown[] ? true : false) extends
  Many ? [E] extends [Target<P>] ? never : `the declared relation has another type: ${K}`
  : Many extends true ? `declare this relation as an array: ${K}`
  : `declare this relation as one, not an array: ${K}`;

/**
 * What is wrong with the relations of a model; never when nothing is.
 *
 * @internal
 */
type Faults<M extends AnyModel> = M extends { readonly relations: infer R } ? {
    [K in keyof R & string]: K extends keyof InstanceType<M> ? Fault<InstanceType<M>, K, R[K], InstanceType<M>[K]>
      : `declare this relation: ${K}`;
  }[keyof R & string]
  : never;

/**
 * Anything when every relation in the model's `static relations` is declared on its instances as it is; otherwise a text
 * that says what to declare. `M & Declared<M>` as a parameter's type refuses such a model.
 * {@linkcode ModelArgument} is that type.
 */
export type Declared<M extends AnyModel> = [Faults<M>] extends [never] ? unknown : Faults<M>;

/**
 * A model as an argument. One whose relations are not declared as they are does not compile, and the message says what to
 * declare.
 *
 * @template M The model's class, which is inferred
 *
 * @example
 * ```ts
 * import { type AnyModel, model, type ModelArgument, t } from "@ledge/session";
 * import { assertEquals } from "@std/assert";
 *
 * function tableOf<M extends AnyModel>(model: ModelArgument<M>): string {
 *   return model.table;
 * }
 * class Book extends model("books", { id: t.identity() }) {}
 * assertEquals(tableOf(Book), "books");
 * ```
 */
export type ModelArgument<M extends AnyModel> = M & Declared<M>;
