%% Plain processes that do as they are told and write down what they get.
-module(otp_differential_actors).

-export([play/1, heard/0]).

play(#{'_' := 'Spawn', name := Name, trap := Trap}) ->
    spawn_actor(Name, Trap, []);
play(#{'_' := 'Exit', who := Who, reason := Reason}) ->
    exit(pid(Who), reason(Reason));
play(#{'_' := 'Do', who := Who, act := Act}) ->
    pid(Who) ! {do, number(), Act};
play(#{'_' := 'Hold', who := Who}) ->
    pid(Who) ! hold;
play(#{'_' := 'Release', who := Who, acts := Acts}) ->
    pid(Who) ! {release, [{number(), Act} || Act <- Acts]}.

%% Everybody, and what they got since they were asked last. What comes of one move from several senders comes in no promised order.
heard() ->
    Names = lists:sort([Name || [Name] <- ets:match(stage, {{pid, '$1'}, '_'})]),
    [line(Name) || Name <- Names].

line(Name) ->
    Got = lists:sort([Text || [Text] <- ets:match(stage, {{inbox, Name, '_'}, '$1'})]),
    ets:match_delete(stage, {{inbox, Name, '_'}, '_'}),
    Alive = case is_process_alive(pid(Name)) of true -> "lives"; false -> "is dead" end,
    io_lib:format("list ~s ~s~s", [Name, Alive, [["; ", Text] || Text <- Got]]).

number() -> ets:update_counter(stage, asked, 1, {asked, -1}).

pid(Name) -> ets:lookup_element(stage, {pid, Name}, 2).

spawn_actor(Name, Trap, Options) ->
    Spawner = self(),
    Started = spawn_opt(
        fun() ->
            process_flag(trap_exit, Trap),
            ets:lookup_element(stage, collector, 2) ! {watch, self(), self(), Name, actor},
            receive watched -> ok end,
            ets:insert(stage, [{{pid, Name}, self()}, {{tag, self()}, Name}]),
            Spawner ! {here, Name},
            act(Name)
        end,
        [{priority, high} | Options]
    ),
    receive {here, Name} -> Started end.

act(Name) ->
    receive
        % Whoever is concerned has his turn before the next: whether he would is left open else.
        {do, Number, Act} ->
            answer(Number, perform(Name, Act)),
            erlang:yield();
        hold ->
            receive
                {release, Acts} -> [answer(Number, perform(Name, Act)) || {Number, Act} <- Acts]
            end,
            erlang:yield();
        {'EXIT', From, Reason} ->
            got(Name, ["exit ", called(From), " ", told(Reason)]);
        {'DOWN', Ref, process, Of, Reason} ->
            got(Name, ["down ", get({ref, Ref}), " ", called(Of), " ", told(Reason)]);
        {said, From} ->
            got(Name, ["message ", From])
    end,
    act(Name).

answer(_, undefined) -> ok;
answer(Number, Text) -> ets:insert(stage, {{answer, Number}, lists:concat([Text])}).

got(Name, Text) ->
    Count = ets:update_counter(stage, counter, 1, {counter, 0}),
    ets:insert(stage, {{inbox, Name, Count}, lists:concat(Text)}).

called({Name, _}) -> lists:concat(["name ", Name]);
called(Pid) ->
    case ets:lookup(stage, {tag, Pid}) of
        [{_, Name}] -> Name;
        % Code outside any process.
        [] -> host
    end.

perform(_, #{'_' := 'Link', who := Who}) ->
    % An error where nobody traps; on the other side it is the exit signal for everybody.
    try link(pid(Who)), ok catch error:noproc -> exit(noproc) end;
perform(_, #{'_' := 'Unlink', who := Who}) ->
    unlink(pid(Who)),
    ok;
perform(_, #{'_' := 'Monitor', who := Who}) ->
    monitored(pid(Who), pid(Who));
perform(_, #{'_' := 'MonitorName', name := Name}) ->
    monitored(whereis(Name), Name);
perform(_, #{'_' := 'Demonitor', which := Which, flush := Flush}) ->
    case get({monitor, Which}) of
        undefined -> none;
        Ref -> erlang:demonitor(Ref, [info | [flush || Flush]])
    end;
perform(_, #{'_' := 'Exit', who := Who, reason := Reason}) ->
    exit(pid(Who), reason(Reason)),
    arrived(),
    undefined;
perform(_, #{'_' := 'Return'}) ->
    exit(normal);
perform(_, #{'_' := 'Crash'}) ->
    exit(boom);
perform(Name, #{'_' := 'Send', who := Who}) ->
    pid(Who) ! {said, Name},
    ok;
perform(Name, #{'_' := 'SendName', name := To}) ->
    try To ! {said, Name}, ok catch error:badarg -> nobody end;
perform(_, #{'_' := 'Register', name := Name, who := Who}) ->
    Pid = pid(Who),
    % That somebody has the name already is no mistake on the other side if it is he.
    try whereis(Name) =:= Pid orelse register(Name, Pid), ok catch error:badarg -> refused end;
perform(_, #{'_' := 'Unregister', name := Name}) ->
    try unregister(Name) catch error:badarg -> false end;
perform(_, #{'_' := 'Whereis', name := Name}) ->
    case whereis(Name) of
        undefined -> nobody;
        Pid -> called(Pid)
    end;
perform(_, #{'_' := 'Trap', trap := Trap}) ->
    process_flag(trap_exit, Trap);
perform(_, #{'_' := 'SpawnLink', name := Name, trap := Trap}) ->
    spawn_actor(Name, Trap, [link]),
    ok;
perform(_, #{'_' := 'SpawnMonitor', name := Name, trap := Trap}) ->
    monitored(fun() ->
        {_, Ref} = spawn_actor(Name, Trap, [monitor]),
        Ref
    end).

monitored(Who, _) when Who =:= self() -> myself;
monitored(_, Who) -> monitored(fun() -> erlang:monitor(process, Who) end).

monitored(Monitor) ->
    Count = case get(monitors) of undefined -> 0; Before -> Before end,
    put(monitors, Count + 1),
    % It may be the first to be read, so it is known by its number before.
    Ref = Monitor(),
    arrived(),
    put({monitor, Count}, Ref),
    put({ref, Ref}, Count),
    lists:concat([m, Count]).

%% What a process sends itself, or hears of the dead, is there at once on the other side. Here it is when there has been an answer
%% from somebody else.
arrived() ->
    ets:lookup_element(stage, collector, 2) ! {sync, self()},
    receive synced -> ok end.

reason(killed) -> kill;
reason('shutdown(moved)') -> {shutdown, moved};
reason(crash) -> boom;
reason(Reason) -> Reason.

told({shutdown, Term}) -> lists:concat(["shutdown(", Term, ")"]);
told(boom) -> crash;
told(Reason) -> Reason.
