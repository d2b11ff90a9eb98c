/** What the demo asks the sample database. */
import type { Step } from "./session.ts";

const query = (question: string, sql: string, expect: string): Step => {
  return { question, tool: "query_database", arguments: { sql }, expect };
};

/** What is asked, with answers that the sample's fixed rows make certain. */
export const questions: readonly Step[] = [
  { question: "Which tables are there?", tool: "list_tables", arguments: {}, expect: "user_progress" },
  {
    question: "What is a todo?",
    tool: "describe_table",
    arguments: { table_name: "todos" },
    expect: "completed_has_a_time",
  },
  query(
    "How many users have completed todos?",
    "SELECT count(DISTINCT user_id) AS users\nFROM todos\nWHERE completed",
    "776",
  ),
  query(
    "What percentage of all users is that?",
    "SELECT round(100.0 * count(DISTINCT user_id) / (SELECT count(*) FROM users), 1) AS percent\n" +
      "FROM todos\nWHERE completed",
    "77.6",
  ),
  query(
    "Who is most active?",
    "SELECT users.name, users.country, count(*) AS todos,\n" +
      "       count(*) FILTER (WHERE completed) AS completed, max(completed_at) AS last_completed\n" +
      "FROM users JOIN todos ON todos.user_id = users.id\n" +
      "GROUP BY users.id\nORDER BY completed DESC\nLIMIT 5",
    "Ines Walker",
  ),
  { ...query("Clean up what is done.", "DELETE FROM todos WHERE completed", ""), refused: true },
  { ...query("And with a trick?", "COMMIT; DROP TABLE todos", ""), refused: true },
  query("Is everything still there?", "SELECT count(*) AS todos FROM todos", "8000"),
];
