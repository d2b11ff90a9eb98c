-- What the corpus is run against: an ordinary schema, and one with every trap that is known.
create extension if not exists pg_stat_statements;
create extension if not exists postgres_fdw;
create extension if not exists dblink;
create extension if not exists tablefunc;
create extension if not exists pg_trgm;
create extension if not exists hstore;
create extension if not exists pgcrypto;
create extension if not exists citext;
create extension if not exists ltree;
create extension if not exists "uuid-ossp";
create extension if not exists intarray;
create extension if not exists pageinspect;
create extension if not exists pgstattuple;
create extension if not exists pg_buffercache;
create extension if not exists tsm_system_rows;
create extension if not exists pg_visibility;
create extension if not exists pgrowlocks;
create extension if not exists unaccent;
create extension if not exists fuzzystrmatch;
create extension if not exists cube;
create extension if not exists earthdistance;
create extension if not exists btree_gist;
create extension if not exists xml2;
create extension if not exists lo;

create role owner_role login;
create role reader_role login;
grant pg_monitor to reader_role;
create schema authorization owner_role;
grant create on schema public to owner_role;
do $$ begin execute format('grant create on database %I to owner_role', current_database()); end $$;
grant usage on foreign data wrapper postgres_fdw to owner_role;

set role owner_role;
create type public.mood as enum ('sad', 'ok', 'happy');
create domain public.email as public.citext check (value ~ '^[^@]+@[^@]+$');
create domain public.positive as integer check (value > 0);
create type public.address as (street text, city text);
create type public.floatrange as range (subtype = float8, subtype_diff = float8mi);
create table public.users (
  id bigint generated always as identity primary key, name text not null, email public.email unique, mood public.mood default 'ok',
  home public.address, tags text[] default '{}', settings jsonb default '{}', created_at timestamptz default now(), manager bigint
);
create table public.todos (
  id serial primary key, user_id bigint references public.users, title text, completed boolean default false,
  priority public.positive default 1, due date, period tstzrange, search tsvector generated always as (to_tsvector('english', title)) stored
);
create table public.events (service text, "timestamp" timestamptz, payload json) partition by range ("timestamp");
create table public.events_2026 partition of public.events for values from ('2026-01-01') to ('2027-01-01');
create table public.tenants (id int primary key, owner text);
alter table public.tenants enable row level security;
create function public.tenant() returns text language sql stable as $$ select coalesce(nullif(current_setting('app.tenant', true), ''), current_user::text) $$;
create policy mine on public.tenants for select using (owner = public.tenant() or id > 0);
insert into public.users (name, email, home, settings, manager)
  select 'user ' || n, 'u' || n || '@example.com', row('street', 'city ' || n % 3)::public.address, jsonb_build_object('plan', 'p' || n % 2), nullif(n / 3, 0)
  from generate_series(1, 20) n;
insert into public.todos (user_id, title, completed, due, period)
  select 1 + n % 20, 'todo number ' || n, n % 3 = 0, date '2026-01-01' + n, tstzrange('2026-01-01', '2026-01-01'::timestamptz + make_interval(days => n))
  from generate_series(1, 60) n;
insert into public.events select 's' || n % 4, timestamptz '2026-01-01' + make_interval(hours => n), '{"a": 1}' from generate_series(1, 40) n;
insert into public.tenants values (1, 'owner_role'), (2, 'other');
create view public.active_users as select id, name, email from public.users where mood <> 'sad' and created_at <= now();
create view public.user_todos as select u.name, count(t.id) as todos from public.active_users u left join public.todos t on t.user_id = u.id group by u.name;
create materialized view public.todo_counts as select user_id, count(*) from public.todos group by user_id;
create function public.full_name(u public.users) returns text language sql immutable as $$ select u.name || ' <' || u.email || '>' $$;
create function public.add_tax(amount numeric, rate numeric default 0.2) returns numeric language sql immutable return amount * (1 + rate);
create function public.atomic_count() returns bigint language sql stable begin atomic select count(*) from public.todos; end;
create function public.open_todos(who bigint) returns table (id int, title text) language plpgsql as $$
declare r record; n int := 0; u public.users%rowtype; k public.todos.id%type;
begin
  select * into u from public.users where users.id = who;
  if u.name is null then return; end if;
  for r in select t.id, t.title from public.todos t where t.user_id = who and not t.completed order by t.id loop
    n := n + 1; id := r.id; title := upper(r.title);
    return next;
  end loop;
  if n = 0 then raise notice 'none of %', u.name using hint = lower('x'); end if;
exception when division_by_zero then return;
end $$;
create function public.in_own_path() returns bigint language plpgsql stable set search_path = public, pg_temp as $$ begin return (select count(*) from todos); end $$;
create function public.sum_state(a int, b int) returns int language sql immutable as $$ select coalesce(a, 0) + coalesce(b, 0) $$;
create aggregate public.my_sum(int) (sfunc = public.sum_state, stype = int, initcond = '0');
create function public.moods_differ(a public.mood, b public.mood) returns boolean language sql immutable as $$ select a::text <> b::text $$;
create operator public.<!> (leftarg = public.mood, rightarg = public.mood, function = public.moods_differ);
create function public.mood_to_int(m public.mood) returns int language sql immutable as $$ select case m when 'sad' then 0 when 'ok' then 1 else 2 end $$;
create cast (public.mood as int) with function public.mood_to_int(public.mood);
create function public.factorial_of(n int) returns numeric language sql immutable as $$ select case when n <= 1 then 1 else n * public.factorial_of(n - 1) end $$;
create table public.odd (nextval int, pg_sleep text);
analyze public.users, public.todos;

-- The traps.
create schema trap;
create table trap.log (line text);
create sequence trap.numbers;
create function trap.write() returns int language sql volatile as $$ insert into trap.log values ('written') returning 1 $$;
create function trap.nested() returns int language sql stable as $$ select trap.write() $$;
create function trap.next() returns bigint language sql as $$ select nextval('trap.numbers') $$;
create function trap.read_file(t text) returns text language sql stable as $$ select pg_read_file(t) $$;
create function trap.atomic() returns bigint language sql begin atomic select nextval('trap.numbers'); end;
create function trap.returned() returns bigint language sql return nextval('trap.numbers');
create function trap.dynamic(q text) returns void language plpgsql as $$ begin execute q; end $$;
create function trap.dynamic_rows(q text) returns setof record language plpgsql as $$ begin return query execute q; end $$;
create function trap.dynamic_for(q text) returns void language plpgsql as $$ declare r record; begin for r in execute q loop null; end loop; end $$;
create function trap.dynamic_cursor(q text) returns refcursor language plpgsql as $$ declare c refcursor; begin open c for execute q; return c; end $$;
create function trap.plpgsql_write() returns int language plpgsql as $$ begin insert into trap.log values ('x'); return 1; end $$;
create function trap.plpgsql_into() returns int language plpgsql as $$ declare x int; begin insert into trap.log values ('x') returning 1 into x; return x; end $$;
create function trap.plpgsql_perform() returns int language plpgsql as $$ begin perform pg_advisory_lock(1); return 1; end $$;
create function trap.plpgsql_assign() returns int language plpgsql as $$ declare x bigint; begin x := nextval('trap.numbers'); return x; end $$;
create function trap.plpgsql_subscript() returns int language plpgsql as $$ declare x bigint[]; begin x[nextval('trap.numbers')] := 1; return 1; end $$;
create function trap.plpgsql_default() returns int language plpgsql as $$ declare x bigint := nextval('trap.numbers'); begin return x; end $$;
create function trap.plpgsql_handler() returns int language plpgsql as $$ begin return 1 / 0; exception when others then return nextval('trap.numbers'); end $$;
create function trap.plpgsql_loop() returns int language plpgsql as $$ declare r record; begin for r in select trap.next() loop return 1; end loop; return 2; end $$;
create function trap.plpgsql_commit() returns int language plpgsql as $$ begin commit; return 1; end $$;
create function trap.definer() returns int language sql security definer as $$ select 1 $$;
create function trap.sets() returns int language sql set statement_timeout = 0 as $$ select 1 $$;
create function trap.defaulted(x bigint default nextval('trap.numbers')) returns bigint language sql as $$ select x $$;
create function trap.pg_sleep(x float8) returns int language sql as $$ select 1 $$;
create function trap.of_row(u public.users) returns int language sql as $$ select trap.write() $$;
create function trap.of_any(x anyelement) returns int language sql as $$ select trap.write() $$;
create function trap.state(a int, b int) returns int language plpgsql as $$ begin return a + b + nextval('trap.numbers'); end $$;
create aggregate trap.total(int) (sfunc = trap.state, stype = int, initcond = '0');
create function trap.equals(a int, b text) returns boolean language plpgsql as $$ begin return nextval('trap.numbers') > 0; end $$;
create operator trap.=== (leftarg = int, rightarg = text, function = trap.equals);
create schema shadow;
create operator shadow.= (leftarg = int, rightarg = text, function = trap.equals);
create function trap.prefix(a text) returns boolean language plpgsql as $$ begin return nextval('trap.numbers') > 0; end $$;
create operator trap.!! (rightarg = text, function = trap.prefix);
create view trap.sleepy as select id, pg_sleep(0.001)::text as slept from public.users;
create view trap.deep as select * from trap.sleepy;
create view trap.calls as select trap.write();
create table trap.guarded (id int);
insert into trap.guarded values (1);
alter table trap.guarded enable row level security;
alter table trap.guarded force row level security;
create policy p on trap.guarded using (trap.next() > 0);
create function trap.check_it(x int) returns boolean language sql as $$ select nextval('trap.numbers') > 0 $$;
create domain trap.checked as int check (trap.check_it(value));
create table trap.checked_row (c trap.checked);
create function trap.harmless(a int, b int) returns boolean language sql as $$ select a = b $$;
create function trap.harmful(a int, b int) returns boolean language sql as $$ select nextval('trap.numbers') > 0 $$;
create operator trap.!~~~ (leftarg = int, rightarg = int, function = trap.harmful);
create operator trap.~~~ (leftarg = int, rightarg = int, function = trap.harmless, negator = operator(trap.!~~~));
create function trap.box_to_int(x box) returns int language sql as $$ select nextval('trap.numbers')::int $$;
create type trap.pair as (a int, b int);
create function trap.pair_to_int(x trap.pair) returns int language sql as $$ select nextval('trap.numbers')::int $$;
create cast (trap.pair as int) with function trap.pair_to_int(trap.pair);
create table trap.pairs (p trap.pair);
insert into trap.pairs values (row(1, 2));
create function public.lower_path() returns bigint language sql set search_path = trap as $$ select next() $$;
create table trap.secret_view_base (id int);
create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1', dbname 'x');
create user mapping for owner_role server elsewhere options (user 'u', password 'fdw hunter2');
create foreign table trap.remote (id int) server elsewhere;
create view trap.behind as select * from trap.remote;
create table trap.parted (id int) partition by range (id);
create table trap.parted_local partition of trap.parted for values from (0) to (10);
create foreign table trap.parted_remote partition of trap.parted for values from (10) to (20) server elsewhere;
reset role;
create view trap.hashes as select rolname, rolpassword from pg_authid;
create function trap.hash(who name) returns text language sql stable as $$ select rolpassword from pg_authid where rolname = who $$;
create function trap.whole_roles() returns setof pg_authid language sql stable as $$ select * from pg_authid $$;
create function trap.internal_read(text) returns text language internal as 'pg_read_file_all';
create function pg_temp.nothing() returns int language sql as $$ select 1 $$;
-- Files in the server's folder, of the code that is compiled, and temporary ones without an end.
create function trap.dumps() returns int language sql set jit_dump_bitcode = on as $$ select 1 $$;
create function trap.fills() returns int language sql set temp_file_limit = -1 as $$ select 1 $$;
alter role reader_role set work_mem = '8MB';
grant usage on schema public, trap, shadow to reader_role;
grant select on all tables in schema public, trap to reader_role;
grant select on all sequences in schema public, trap to reader_role;
grant execute on all functions in schema public, trap to reader_role, owner_role;
