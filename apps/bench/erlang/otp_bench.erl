%% The figures of `pnpm bench otp`, measured on Erlang/OTP: the same loops with the same numbers.
%%
%%   erl -noinput -pa FOLDER -run otp_bench main FIGURE
%%
%% prints one line, the figure's name and its value. `about` describes the machine instead.
-module(otp_bench).

-export([main/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_continue/2]).
-export([start_link/1]).

-define(WARM_UP_MS, 300).
-define(MEASURED_MS, 700).
-define(CALLS_EACH, 2000).
-define(CAST_BURST, 100000).
-define(SPAWNED, 100000).
-define(IDLE, 20000).
-define(RESTARTS, 1000).
-define(CHILDREN, 10000).
-define(FEW, 1000).

%% The shell-less runtime calls this in its init process; the work is done in one of its own.
main([Figure]) ->
    ok = logger:set_primary_config(level, none),
    {_, Monitor} = spawn_monitor(fun() -> exit({value, figure(Figure)}) end),
    receive
        {'DOWN', Monitor, process, _, {value, Value}} ->
            io:format("~s ~s~n", [Figure, text(Value)]),
            halt(0);
        {'DOWN', Monitor, process, _, Reason} ->
            io:format(standard_error, "~s: ~p~n", [Figure, Reason]),
            halt(1)
    end.

text(Value) when is_number(Value) -> float_to_list(Value * 1.0, [{decimals, 3}]);
text(Value) -> Value.

figure("about") -> about();
figure("calls1") -> calls(1);
figure("calls16") -> calls(16);
figure("casts") -> casts();
figure("spawns") -> spawns();
figure("idleBytes") -> idle_bytes();
figure("restartsOfOne") -> restarts_of_one();
figure("restartsOfAll") -> restarts_of_all();
figure("stopMillis") -> millis_each(fun() -> stopped(static_tree()) end);
figure("stopDynamicMillis") -> millis_each(fun() -> stopped(dynamic_tree()) end).

about() ->
    io_lib:format("OTP ~s, JIT ~s, ~w schedulers", [
        erlang:system_info(otp_release),
        case erlang:system_info(emu_flavor) of
            jit -> "on";
            _ -> "off"
        end,
        erlang:system_info(schedulers_online)
    ]).

%% ---------------------------------------------------------------------------------------------------------------
%% measuring
%% ---------------------------------------------------------------------------------------------------------------

per_second(Sample) ->
    per_second(Sample, Sample).

per_second(Sample, WarmUp) ->
    {Units, Nanos} = measured(Sample, WarmUp),
    Units * 1.0e9 / Nanos.

millis_each(Sample) ->
    {Units, Nanos} = measured(Sample, Sample),
    Nanos / 1.0e6 / Units.

measured(Sample, WarmUp) ->
    repeated(WarmUp, ?WARM_UP_MS),
    repeated(Sample, ?MEASURED_MS).

repeated(Sample, Millis) ->
    repeated(Sample, erlang:monotonic_time(millisecond) + Millis, 0, 0).

repeated(Sample, End, Units, Nanos) ->
    {MoreUnits, MoreNanos} = Sample(),
    case erlang:monotonic_time(millisecond) < End of
        true -> repeated(Sample, End, Units + MoreUnits, Nanos + MoreNanos);
        false -> {Units + MoreUnits, Nanos + MoreNanos}
    end.

timed(Units, Work) ->
    Began = erlang:monotonic_time(nanosecond),
    Work(),
    {Units, erlang:monotonic_time(nanosecond) - Began}.

times(0, _) -> ok;
times(Count, Work) -> Work(), times(Count - 1, Work).

%% ---------------------------------------------------------------------------------------------------------------
%% servers and processes
%% ---------------------------------------------------------------------------------------------------------------

calls(Callers) ->
    {ok, Server} = gen_server:start(?MODULE, counter, []),
    Caller = fun() -> times(?CALLS_EACH, fun() -> gen_server:call(Server, {add, 1}) end) end,
    All = fun() ->
        Monitors = [element(2, spawn_monitor(Caller)) || _ <- lists:seq(1, Callers)],
        [receive {'DOWN', Monitor, process, _, normal} -> ok end || Monitor <- Monitors]
    end,
    per_second(fun() -> timed(Callers * ?CALLS_EACH, All) end).

casts() ->
    {ok, Server} = gen_server:start(?MODULE, counter, []),
    Burst = fun() ->
        times(?CAST_BURST, fun() -> gen_server:cast(Server, {add, 1}) end),
        gen_server:call(Server, get, infinity)
    end,
    per_second(fun() -> timed(?CAST_BURST, Burst) end).

spawns() ->
    per_second(fun() -> spawning(?SPAWNED) end, fun() -> spawning(?FEW) end).

spawning(Count) ->
    timed(Count, fun() ->
        times(Count, fun() -> spawn_monitor(fun() -> ok end) end),
        times(Count, fun() -> receive {'DOWN', _, process, _, _} -> ok end end)
    end).

idle_bytes() ->
    Before = process_bytes(),
    times(?IDLE, fun() -> {ok, _} = gen_server:start(?MODULE, counter, []) end),
    (process_bytes() - Before) / ?IDLE.

process_bytes() ->
    [garbage_collect(Pid) || Pid <- processes()],
    erlang:memory(processes).

%% ---------------------------------------------------------------------------------------------------------------
%% supervisors
%% ---------------------------------------------------------------------------------------------------------------

restarts_of_one() ->
    per_second(fun() ->
        Supervisor = start_tree(one_for_one, ?RESTARTS, workers(1, {announcing, self()})),
        [Worker] = announced(1),
        Sample = timed(?RESTARTS, fun() -> kill_and_wait(?RESTARTS, Worker) end),
        ok = stop_tree(Supervisor),
        Sample
    end).

kill_and_wait(0, _) ->
    ok;
kill_and_wait(Left, Worker) ->
    exit(Worker, kill),
    [Next] = announced(1),
    kill_and_wait(Left - 1, Next).

restarts_of_all() ->
    per_second(fun() -> restarting(?CHILDREN) end, fun() -> restarting(?FEW) end).

restarting(Count) ->
    Supervisor = start_tree(one_for_one, Count, workers(Count, {announcing, self()})),
    Pids = announced(Count),
    Sample = timed(Count, fun() ->
        [exit(Pid, kill) || Pid <- Pids],
        announced(Count)
    end),
    ok = stop_tree(Supervisor),
    Sample.

announced(Count) ->
    [receive {announced, Pid} -> Pid end || _ <- lists:seq(1, Count)].

static_tree() ->
    start_tree(one_for_one, 1, workers(?CHILDREN, counter)).

dynamic_tree() ->
    Supervisor = start_tree(simple_one_for_one, 1, workers(1, counter)),
    times(?CHILDREN, fun() -> {ok, _} = supervisor:start_child(Supervisor, []) end),
    Supervisor.

stopped(Supervisor) ->
    timed(1, fun() -> stop_tree(Supervisor) end).

workers(Count, Kind) ->
    [#{id => Id, start => {?MODULE, start_link, [Kind]}} || Id <- lists:seq(1, Count)].

start_link(Kind) ->
    gen_server:start_link(?MODULE, Kind, []).

%% Unlinked: a supervisor that stops would take its starter along.
start_tree(Strategy, Intensity, Children) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => 5},
    {ok, Supervisor} = supervisor:start_link(?MODULE, {tree, Flags, Children}),
    unlink(Supervisor),
    Supervisor.

stop_tree(Supervisor) ->
    gen_server:stop(Supervisor, shutdown, infinity).

%% ---------------------------------------------------------------------------------------------------------------
%% callbacks: of the supervisors, of the counter, and of a worker that says who it is as soon as it is back
%% ---------------------------------------------------------------------------------------------------------------

init({tree, Flags, Children}) -> {ok, {Flags, Children}};
init({announcing, To}) -> {ok, To, {continue, announce}};
init(counter) -> {ok, 0}.

handle_call({add, By}, _From, Count) -> {reply, Count + By, Count + By};
handle_call(get, _From, Count) -> {reply, Count, Count}.

handle_cast({add, By}, Count) -> {noreply, Count + By}.

handle_continue(announce, To) ->
    To ! {announced, self()},
    {noreply, To}.
