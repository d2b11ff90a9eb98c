-- The sample tododb: 1,000 users, 8,000 todos, 5,000 events. The same rows every time, on every machine:
-- each value is drawn from a hash of its row and column, and the clock stands still at 2026-06-30 12:00 UTC, unless
-- tododb.ts sets it to the moment at which it opens the database.

SET timezone = 'UTC';

CREATE FUNCTION pg_temp.draw(id bigint, salt text) RETURNS double precision
  LANGUAGE sql IMMUTABLE AS $$ SELECT (hashtextextended(salt, id) & 4294967295) / 4294967296.0::float8 $$;
CREATE FUNCTION pg_temp.pick(id bigint, salt text, choices text[]) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$ SELECT choices[1 + floor(pg_temp.draw(id, salt) * cardinality(choices))::int] $$;
CREATE FUNCTION pg_temp.clock() RETURNS timestamptz
  LANGUAGE sql IMMUTABLE AS $$ SELECT '2026-06-30 12:00:00+00'::timestamptz $$;

CREATE TYPE plan AS ENUM ('free', 'pro', 'team');
CREATE TYPE priority AS ENUM ('low', 'normal', 'high', 'urgent');

CREATE TABLE users (
  id           integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email        text        NOT NULL UNIQUE CHECK (email LIKE '%_@_%'),
  name         text        NOT NULL,
  plan         plan        NOT NULL DEFAULT 'free',
  country      char(2)     NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz,
  CHECK (last_seen_at >= created_at)
);
COMMENT ON TABLE users IS 'One row per registered user';
COMMENT ON COLUMN users.email IS 'Sign-in name, always lower case';
COMMENT ON COLUMN users.country IS 'ISO 3166-1 alpha-2';
COMMENT ON COLUMN users.last_seen_at IS 'NULL: registered and never came back';

CREATE TABLE todos (
  id           bigint       GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id      integer      NOT NULL REFERENCES users ON DELETE CASCADE,
  title        varchar(120) NOT NULL CHECK (title <> ''),
  priority     priority     NOT NULL DEFAULT 'normal',
  completed    boolean      NOT NULL DEFAULT false,
  created_at   timestamptz  NOT NULL DEFAULT now(),
  completed_at timestamptz,
  due_on       date,
  estimate     numeric(4,2) CHECK (estimate > 0),
  tags         text[]       NOT NULL DEFAULT '{}',
  CONSTRAINT completed_has_a_time CHECK (completed = (completed_at IS NOT NULL)),
  CONSTRAINT completed_after_created CHECK (completed_at >= created_at)
);
COMMENT ON TABLE todos IS 'What users plan to do';
COMMENT ON COLUMN todos.completed IS 'Done; completed_at says when';
COMMENT ON COLUMN todos.estimate IS 'Hours; NULL when nobody guessed';

CREATE TABLE events (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service     text        NOT NULL,
  "timestamp" timestamptz NOT NULL DEFAULT now(),
  kind        text        NOT NULL CHECK (kind IN ('deploy', 'error', 'restart', 'scale', 'timeout', 'warning')),
  user_id     integer     REFERENCES users ON DELETE SET NULL,
  message     text        NOT NULL,
  details     jsonb       NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE events IS 'What happened to the services, newest last; kept for 7 days';
COMMENT ON COLUMN events.user_id IS 'The user whose request it was, if it was a request';

INSERT INTO users (email, name, plan, country, created_at, last_seen_at)
SELECT lower(first || '.' || last || i || '@example.com'), first || ' ' || last,
       (CASE WHEN d_plan < 0.72 THEN 'free' WHEN d_plan < 0.93 THEN 'pro' ELSE 'team' END)::plan,
       pg_temp.pick(i, 'country', '{US,US,US,DE,DE,GB,GB,FR,IN,IN,BR,JP,NL,PL,CA,SE}'),
       created, CASE WHEN pg_temp.draw(i, 'seen') < 0.94
         THEN date_trunc('second', created + (pg_temp.clock() - created) * (1 - pg_temp.draw(i, 'last') ^ 3)) END
FROM (
  SELECT i, pg_temp.draw(i, 'plan') AS d_plan,
         pg_temp.pick(i, 'first', '{Ada,Alan,Amara,Anders,Barbara,Bela,Chen,Dana,Dmitri,Edsger,Elif,Emeka,Fatima,Grace,Hana,Ines,Jonas,Katherine,Kofi,Lena,Linus,Margaret,Mateo,Mei,Nadia,Niklaus,Noor,Olga,Priya,Radia,Ravi,Sofia,Tariq,Tomoko,Yusuf,Zofia}') AS first,
         pg_temp.pick(i, 'last', '{Abe,Almeida,Bauer,Berg,Castillo,Costa,Demir,Diallo,Fischer,Garcia,Haddad,Hughes,Ivanov,Jensen,Kaya,Kim,Kowalski,Larsen,Mensah,Moreau,Nowak,Okafor,Patel,Rossi,Sato,Silva,Singh,Tanaka,Vogel,Walker,Weber,Yilmaz}') AS last,
         date_trunc('second', pg_temp.clock() - interval '5 days' - interval '720 days' * ((1000 - i) / 1000.0)
           - interval '12 hours' * pg_temp.draw(i, 'signup')) AS created
  FROM generate_series(1, 1000) AS i
) AS person;

-- A few people do most of the work: the square bends the draw, 577 (coprime to 1,000) scatters the ids.
-- The last 4 in 100 of that order have no todo at all, and 1 in 6 never finishes one.
INSERT INTO todos (user_id, title, priority, completed, created_at, completed_at, due_on, estimate, tags)
SELECT owner, title, priority, done, created,
       CASE WHEN done THEN date_trunc('second', created + (pg_temp.clock() - created) * (0.01 + 0.98 * took)) END,
       CASE WHEN d_due < 0.4 THEN (created + interval '21 days' * (0.1 + d_due))::date END,
       CASE WHEN d_estimate < 0.6 THEN round((0.25 + 7.75 * d_estimate ^ 2)::numeric * 4) / 4 END,
       CASE WHEN d_tags < 0.45 THEN '{}' WHEN d_tags < 0.8 THEN ARRAY[tag] ELSE ARRAY[tag, 'shared'] END
FROM (
  SELECT owner, users.created_at + (pg_temp.clock() - users.created_at) * pg_temp.draw(i, 'created') AS created_exactly,
         date_trunc('second', users.created_at + (pg_temp.clock() - users.created_at) * pg_temp.draw(i, 'created')) AS created,
         pg_temp.pick(i, 'verb', '{Book,Call about,Check,Clean up,Compare,Draft,Finish,Fix,Order,Pay for,Plan,Prepare,Renew,Review,Send,Write down}')
           || ' ' || pg_temp.pick(i, 'object', '{the quarterly report,the flight to Lisbon,the birthday present,the tax papers,the garden,the insurance,the onboarding guide,the landing page,the invoice,the release notes,the dentist,the bicycle,the reading list,the budget,the team lunch,the backup disk,the slides,the contract,the holiday photos,the kitchen shelf}') AS title,
         pg_temp.pick(i, 'priority', '{low,low,normal,normal,normal,normal,normal,high,high,urgent}')::priority AS priority,
         pg_temp.draw(owner, 'diligence') > 0.16
           AND pg_temp.draw(i, 'done') < 0.2 + 0.7 * pg_temp.draw(owner, 'diligence') AS done,
         pg_temp.draw(i, 'took') ^ 2 AS took, pg_temp.draw(i, 'due') AS d_due,
         pg_temp.draw(i, 'estimate') AS d_estimate, pg_temp.draw(i, 'tags') AS d_tags,
         pg_temp.pick(i, 'tag', '{home,work,family,errands,health,money,travel}') AS tag
  FROM (
    SELECT i, 1 + (floor(960 * pg_temp.draw(i, 'owner') ^ 2)::int * 577 + 91) % 1000 AS owner
    FROM generate_series(1, 8000) AS i
  ) AS todo JOIN users ON users.id = owner
) AS todo ORDER BY created_exactly;

UPDATE users SET last_seen_at = greatest(last_seen_at, latest)
FROM (SELECT user_id, max(coalesce(completed_at, created_at)) AS latest FROM todos GROUP BY user_id) AS work
WHERE user_id = id;
CLUSTER users USING users_pkey;

-- A quiet week, then user-service runs out of connections in the last hour.
INSERT INTO events (service, "timestamp", kind, user_id, message, details)
SELECT service, at, kind,
       CASE WHEN kind IN ('error', 'timeout') THEN 1 + floor(1000 * pg_temp.draw(i, 'who'))::int END,
       CASE kind
         WHEN 'deploy' THEN service || ' ' || version || ' deployed'
         WHEN 'restart' THEN service || ' restarted after a failed liveness probe'
         WHEN 'scale' THEN service || ' scaled to ' || 2 + floor(4 * pg_temp.draw(i, 'replicas'))::int || ' replicas'
         WHEN 'warning' THEN 'response time above 500 ms for 5 minutes'
         WHEN 'timeout' THEN 'no connection from the pool within 5 s'
         ELSE 'request failed with status ' || status END,
       CASE kind
         WHEN 'deploy' THEN jsonb_build_object('version', version)
         WHEN 'error' THEN jsonb_build_object('status', status, 'route', pg_temp.pick(i, 'route', '{/login,/todos,/todos/:id,/users/:id,/search}'))
         WHEN 'timeout' THEN jsonb_build_object('pool_size', 4, 'waiting', 1 + floor(30 * pg_temp.draw(i, 'waiting'))::int)
         ELSE '{}' END
FROM (
  SELECT i, incident, CASE WHEN incident THEN 'user-service'
           ELSE pg_temp.pick(i, 'service', '{api-gateway,api-gateway,todo-service,todo-service,user-service,notification-service,search-service}') END AS service,
         CASE WHEN incident THEN pg_temp.pick(i, 'kind', '{timeout,timeout,timeout,error,error,warning,restart}')
           ELSE pg_temp.pick(i, 'kind', '{error,error,error,warning,warning,warning,warning,timeout,scale,deploy,restart}') END AS kind,
         (ARRAY[500, 500, 502, 503])[1 + floor(4 * pg_temp.draw(i, 'status'))::int] AS status,
         '2.' || 10 + i / 500 || '.' || floor(9 * pg_temp.draw(i, 'version'))::int AS version,
         date_trunc('milliseconds', CASE WHEN incident THEN pg_temp.clock() - interval '1 hour' * ((5000 - i) / 600.0)
           ELSE pg_temp.clock() - interval '1 hour' - interval '7 days' * ((4400 - i) / 4400.0) END) AS at
  FROM (SELECT i, i > 4400 AS incident FROM generate_series(1, 5000) AS i) AS event
) AS event ORDER BY i;

CREATE INDEX todos_user_id ON todos (user_id);
CREATE INDEX todos_open ON todos (due_on) WHERE NOT completed;
CREATE INDEX events_service_timestamp ON events (service, "timestamp" DESC);

CREATE VIEW user_progress AS
SELECT users.id AS user_id, users.name, users.plan, count(todos.id) AS todos,
       count(*) FILTER (WHERE todos.completed) AS completed,
       round(100.0 * count(*) FILTER (WHERE todos.completed) / nullif(count(todos.id), 0), 1) AS percent,
       max(todos.completed_at) AS last_completed_at
FROM users LEFT JOIN todos ON todos.user_id = users.id
GROUP BY users.id;
COMMENT ON VIEW user_progress IS 'How far each user has come with their todos';

-- Whoever connects as "reader" can read, and nothing else.
CREATE ROLE reader LOGIN;
GRANT SELECT ON users, todos, events, user_progress TO reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO reader; -- for database_health
REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC;

-- PostgreSQL refuses to rename the database one is connected to, and PGlite has no other one to rename it from.
UPDATE pg_database SET datname = 'tododb' WHERE datname = current_database();

ANALYZE;
