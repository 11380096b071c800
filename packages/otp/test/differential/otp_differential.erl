%% The Erlang side of the differential test. A term a line comes in on the standard input; what it led to goes out as lines, the
%% last of them a full stop. Run it with one scheduler (+S 1): what is concurrent then happens in one order.
-module(otp_differential).
-behaviour(gen_server).

-export([main/0, start_child/3, start_dynamic/1, plug/1]).
-export([ask/1, note/1, reason/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, code_change/3]).

main() ->
    logger:set_primary_config(level, none),
    % The code server has a low priority too.
    [{module, _} = code:ensure_loaded(Module) || Module <- loaded()],
    io:setopts([{encoding, latin1}]),
    ets:new(stage, [named_table, public, ordered_set]),
    put(before, processes()),
    listen().

loaded() ->
    [otp_differential_actors, otp_differential_servers, supervisor, gen_server, gen, proc_lib, sys, error_logger, logger, maps, proplists, io_lib, io_lib_format, io_lib_pretty].

listen() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, Term} = erl_parse:parse_term(Tokens),
            % What cannot be played is a difference too.
            Lines =
                try
                    answer(Term)
                catch
                    _:Reason -> [io_lib:format("answer 0: cannot play ~0p: ~0p", [Term, Reason])]
                end,
            io:put_chars([[Text, $\n] || Text <- Lines] ++ ".\n"),
            listen();
        _ ->
            halt(0)
    end.

answer(#{'_' := 'Begin'}) ->
    [exit(Pid, kill) || Pid <- strangers()],
    quiet(),
    ets:delete_all_objects(stage),
    Stage = self(),
    Collector = spawn_opt(fun() -> Stage ! ready, collect() end, [{priority, max}]),
    receive ready -> ok end,
    ets:insert(stage, [{collector, Collector}, {stranger, spawn(fun() -> receive never -> ok end end)}]),
    [];
answer(#{'_' := 'Tree', move := Move, answering := Paths}) ->
    play(Move),
    quiet(),
    seen() ++ listing(Paths);
answer(#{'_' := 'Actors', move := Move}) ->
    otp_differential_actors:play(Move),
    quiet(),
    seen() ++ otp_differential_actors:heard();
answer(#{'_' := 'Servers', move := Move}) ->
    otp_differential_servers:play(Move),
    quiet(),
    seen().

%% ---------------------------------------------------------------------------------------------------------------------
%% what is seen
%% ---------------------------------------------------------------------------------------------------------------------

%% Writes down who ended, before anybody else who is told of it comes to act: nobody has its priority.
collect() ->
    receive
        {watch, From, Pid, Tag, Kind} ->
            put(erlang:monitor(process, Pid), {Tag, Kind}),
            From ! watched,
            collect();
        {sync, From} ->
            From ! synced,
            collect();
        {'DOWN', Ref, process, _, Reason} ->
            {Tag, Kind} = erase(Ref),
            [note(['-', Tag]) || Kind =:= worker],
            ets:insert(stage, {{ended, counter()}, Tag, reason(Reason)}),
            collect()
    end.

watch(Tag, Kind) ->
    ets:lookup_element(stage, collector, 2) ! {watch, self(), self(), Tag, Kind},
    receive watched -> ok end.

counter() -> ets:update_counter(stage, counter, 1, {counter, 0}).

note(Text) -> ets:insert(stage, {{journal, counter()}, lists:concat(Text)}).

seen() ->
    Answers = ets:match(stage, {{answer, '$1'}, '$2'}),
    Journal = ets:match(stage, {{journal, '_'}, '$1'}),
    Ended = ets:match(stage, {{ended, '_'}, '$1', '$2'}),
    ets:match_delete(stage, {{answer, '_'}, '_'}),
    ets:match_delete(stage, {{journal, '_'}, '_'}),
    ets:match_delete(stage, {{ended, '_'}, '_', '_'}),
    [io_lib:format("answer ~w: ~s", Answer) || Answer <- Answers] ++
        [["journal ", Text] || [Text] <- Journal] ++
        [io_lib:format("end ~s: ~s", End) || End = [Tag, _] <- Ended, ets:member(stage, {pid, Tag})].

%% Everybody but those who were there before the stage was.
strangers() -> processes() -- get(before).

%% Until nobody has anything to do: whoever plays has a high priority, so that this, which has not, goes on only when they all wait.
%% The library makes a few processes that have not either; these take turns with this one. Whoever waits for the runtime itself, as
%% the first that crashes does while the logger's cache is written, lets this go on before, and is seen by what is told of it.
quiet() ->
    [erlang:yield() || _ <- lists:seq(1, 50)],
    case lists:any(fun is_busy/1, strangers()) of
        true -> quiet();
        false -> ok
    end.

is_busy(Pid) ->
    case process_info(Pid, status) of
        undefined -> false;
        {status, Status} -> Status =/= waiting
    end.

player(Fun) -> spawn_opt(Fun, [{priority, high}]).

reason(normal) -> "normal";
reason(shutdown) -> "shutdown";
reason({shutdown, {failed_to_start_child, Id, Reason}}) -> lists:concat(["shutdown(failed ", Id, ": ", reason(Reason), ")"]);
reason({shutdown, Term}) when is_atom(Term) -> lists:concat(["shutdown(", Term, ")"]);
reason(killed) -> "killed";
reason(noproc) -> "noproc";
reason(_) -> "crash".

%% ---------------------------------------------------------------------------------------------------------------------
%% trees
%% ---------------------------------------------------------------------------------------------------------------------

play(#{'_' := 'Start', spec := Spec}) ->
    ask(fun() ->
        process_flag(trap_exit, true),
        case start_child(top, Spec, fun supervisor_start_link/2) of
            {ok, Pid} ->
                % It is nobody's child.
                unlink(Pid),
                ["ok ", atom_to_list(tag(Pid))];
            {error, Reason} ->
                failed("StartFailed", Reason);
            ignore ->
                "ignored"
        end
    end);
play(#{'_' := 'Exit', instance := Tag, reason := Reason}) ->
    Pid = pid(Tag),
    case {Reason, ets:lookup_element(stage, {kind, Tag}, 2)} of
        {killed, _} -> exit(Pid, kill);
        {_, supervisor} -> exit(Pid, own(Reason));
        {_, worker} -> Pid ! {leave, Reason}
    end;
play(#{'_' := 'Call', to := To, call := Call}) ->
    Supervisor = latest(To),
    ask(fun() -> call(Supervisor, To, Call) end);
play(#{'_' := 'Fault', path := Path, outcomes := Outcomes}) ->
    ets:insert(stage, {{faults, Path}, Outcomes});
play(#{'_' := 'Hold', to := To}) ->
    Supervisor = latest(To),
    Plug =
        case is_dynamic(Supervisor) of
            true -> [plug];
            false -> #{id => plug, restart => temporary, start => {?MODULE, plug, [To]}}
        end,
    player(fun() -> catch supervisor:start_child(Supervisor, Plug) end);
play(#{'_' := 'Release', to := To}) ->
    latest(To) ! {release, To}.

plug(Path) -> receive {release, Path} -> ignore end.

own('shutdown(moved)') -> {shutdown, moved};
own(crash) -> boom;
own(Reason) -> Reason.

pid(Tag) -> ets:lookup_element(stage, {pid, Tag}, 2).
latest(Path) -> ets:lookup_element(stage, {latest, Path}, 2).
tag(Pid) -> ets:lookup_element(stage, {tag, Pid}, 2).

%% Asks in a process of its own; the answer is there when it is there.
ask(Question) ->
    Number = ets:update_counter(stage, asked, 1, {asked, -1}),
    player(fun() ->
        Answer =
            try
                Question()
            catch
                exit:noproc -> "noproc";
                exit:{noproc, _} -> "noproc";
                exit:{Reason, Call} when element(1, Call) =:= gen_server; element(1, Call) =:= sys ->
                    ["exited: ", reason(Reason)];
                exit:Reason -> ["exited: ", reason(Reason)]
            end,
        ets:insert(stage, {{answer, Number}, lists:flatten(Answer)})
    end).

call(Supervisor, _, #{'_' := 'StartChild', letter := Letter}) ->
    case supervisor:start_child(Supervisor, [Letter]) of
        {error, Reason} -> failed("StartFailed", Reason);
        Started -> started(Started)
    end;
call(Supervisor, _, #{'_' := 'TerminateChild', instance := stranger}) ->
    done(supervisor:terminate_child(Supervisor, ets:lookup_element(stage, stranger, 2)));
call(Supervisor, _, #{'_' := 'TerminateChild', instance := Tag}) ->
    done(supervisor:terminate_child(Supervisor, pid(Tag)));
call(Supervisor, _, #{'_' := 'GetChildSpec', instance := stranger}) ->
    spec(supervisor:get_childspec(Supervisor, ets:lookup_element(stage, stranger, 2)));
call(Supervisor, _, #{'_' := 'GetChildSpec', instance := Tag}) ->
    spec(supervisor:get_childspec(Supervisor, pid(Tag)));
call(Supervisor, _, #{'_' := 'TerminateById', id := Id}) ->
    done(supervisor:terminate_child(Supervisor, Id));
call(Supervisor, _, #{'_' := 'RestartById', id := Id}) ->
    done(supervisor:restart_child(Supervisor, Id));
call(Supervisor, _, #{'_' := 'DeleteById', id := Id}) ->
    done(supervisor:delete_child(Supervisor, Id));
call(Supervisor, To, #{'_' := 'StartChild', child := Child}) ->
    started(supervisor:start_child(Supervisor, child_spec(To, Child)));
call(Supervisor, _, #{'_' := 'TerminateChild', id := Id}) ->
    done(supervisor:terminate_child(Supervisor, Id));
call(Supervisor, _, #{'_' := 'TerminateByPid', instance := Tag}) ->
    done(supervisor:terminate_child(Supervisor, pid(Tag)));
call(Supervisor, _, #{'_' := 'RestartChild', id := Id}) ->
    case supervisor:restart_child(Supervisor, Id) of
        {error, Reason} when is_tuple(Reason), element(1, Reason) =/= already_started -> failed("ChildStartFailed", Reason);
        {error, Reason} when Reason =/= running, Reason =/= restarting, Reason =/= not_found, is_atom(Reason) ->
            failed("ChildStartFailed", Reason);
        Other -> started(Other)
    end;
call(Supervisor, _, #{'_' := 'DeleteChild', id := Id}) ->
    done(supervisor:delete_child(Supervisor, Id));
call(Supervisor, _, #{'_' := 'WhichChildren'}) ->
    children(Supervisor);
% There is no which_child before OTP 28.
call(Supervisor, _, #{'_' := 'WhichChild', id := Id}) ->
    case lists:keyfind(Id, 1, supervisor:which_children(Supervisor)) of
        false -> "not_found";
        Child -> info(Child)
    end;
call(Supervisor, _, #{'_' := 'GetChildSpec', id := Id}) ->
    spec(supervisor:get_childspec(Supervisor, Id));
call(Supervisor, _, #{'_' := 'GetChildSpecByPid', instance := Tag}) ->
    spec(supervisor:get_childspec(Supervisor, pid(Tag)));
call(Supervisor, _, #{'_' := 'CountChildren'}) ->
    counts(Supervisor);
call(Supervisor, _, #{'_' := 'Reconfigure', template := Template}) ->
    change(Supervisor, fun() -> ets:insert(stage, {{flags, Supervisor}, Template}) end);
call(Supervisor, _, #{'_' := 'Reconfigure', flags := Flags}) ->
    change(Supervisor, fun() -> ets:insert(stage, {{flags, Supervisor}, Flags}) end);
call(Supervisor, _, #{'_' := 'RunInit'}) ->
    change(Supervisor, fun() -> ok end);
call(Supervisor, _, #{'_' := 'Stop'}) ->
    % Whether it stops because of this or had so far to go is not told apart.
    ok = gen_server:stop(Supervisor, shutdown, infinity),
    ["exited: ", reason(shutdown)].

%% What a release would do; nobody else is served in between.
change(Supervisor, Prepare) ->
    ok = sys:suspend(Supervisor, infinity),
    Prepare(),
    Result = sys:change_code(Supervisor, ?MODULE, [], [], infinity),
    ets:delete(stage, {flags, Supervisor}),
    ok = sys:resume(Supervisor, infinity),
    case Result of
        {error, {error, Reason}} -> failed("InitFailed", Reason);
        {error, Reason} -> failed("InitFailed", Reason);
        ok -> "ok"
    end.

done(ok) -> "ok";
done({error, Problem}) -> atom_to_list(Problem).

started({ok, undefined}) -> "ignored";
started({ok, Pid}) -> ["ok ", atom_to_list(tag(Pid))];
started({error, {already_started, Pid}}) ->
    case ets:lookup(stage, {tag, Pid}) of
        [{_, Tag}] -> ["already_started ", atom_to_list(Tag)];
        [] -> "already_started elsewhere"
    end;
started({error, {bad_combination, _}}) -> "bad_combination";
started({error, {Reason, _Child}}) -> failed("ChildStartFailed", Reason);
started({error, Problem}) -> atom_to_list(Problem).

failed(_, {Where, {Problem, _}}) when Where =:= start_spec; Where =:= supervisor_data -> atom_to_list(Problem);
failed(_, {Problem, _}) when
    Problem =:= bad_combination; Problem =:= duplicate_child_name; Problem =:= invalid_intensity -> atom_to_list(Problem);
failed(_, {already_started, _}) -> "already_started elsewhere";
failed(What, Reason) -> [What, ": ", reason(Reason)].

listing(Paths) ->
    [["list ", Line] || Path <- Paths, Line <- [said(Path, fun children/1), said(Path, fun counts/1)]].

said(Path, Question) ->
    try
        Question(latest(Path))
    catch
        exit:{noproc, _} -> "noproc"
    end.

children(Supervisor) ->
    Lines = [lists:flatten(info(Child)) || Child <- supervisor:which_children(Supervisor)],
    % Those of a dynamic one are in no order that is promised.
    Sorted = case lists:all(fun(Line) -> hd(Line) =:= $- end, Lines) of true -> lists:sort(Lines); false -> Lines end,
    ["[", lists:join("; ", Sorted), "]"].

is_dynamic(Supervisor) -> ets:member(stage, {dynamic, Supervisor}).

info({Id, Child, Type, _}) ->
    Text = case Child of
        undefined -> stopped;
        restarting -> restarting;
        Pid -> tag(Pid)
    end,
    io_lib:format("~s ~s ~s", [case Id of undefined -> '-'; _ -> Id end, Text, Type]).

counts(Supervisor) ->
    Counts = supervisor:count_children(Supervisor),
    Get = fun(Key) -> proplists:get_value(Key, Counts) end,
    % A dynamic one goes on counting a restart that somebody has cancelled, and has fewer active children than it lists.
    Active =
        case is_dynamic(Supervisor) of
            true -> length([Pid || {_, Pid, _, _} <- supervisor:which_children(Supervisor), is_pid(Pid)]);
            false -> Get(active)
        end,
    io_lib:format("specs=~w active=~w supervisors=~w workers=~w", [Get(specs), Active, Get(supervisors), Get(workers)]).

spec({error, Problem}) -> atom_to_list(Problem);
spec({ok, #{id := Id, restart := Restart, shutdown := Shutdown, type := Type, significant := Significant}}) ->
    Suffix = case Significant of true -> " significant"; false -> "" end,
    io_lib:format("~s ~s ~w ~s~s", [Id, Restart, Shutdown, Type, Suffix]).

%% ---------------------------------------------------------------------------------------------------------------------
%% children
%% ---------------------------------------------------------------------------------------------------------------------

child_spec(Above, Child = #{id := Id, work := Work}) ->
    Path = list_to_atom(lists:concat([Above, '/', Id])),
    {Type, Starter} = case Work of
        #{} -> {supervisor, fun supervisor_start_link/2};
        _ -> {worker, fun worker_start_link/2}
    end,
    Options = maps:with([restart, shutdown, significant], Child),
    Options#{id => Id, type => Type, start => {?MODULE, start_child, [Path, Work, Starter]}}.

worker_start_link(Module, Argument) -> gen_server:start_link(Module, Argument, [{spawn_opt, [{priority, high}]}]).

%% What supervisor:start_link does, but for the priority.
supervisor_start_link(Module, Argument) ->
    gen_server:start_link(supervisor, {self, Module, Argument}, [{spawn_opt, [{priority, high}]}]).

start_dynamic(plug) -> plug(top);
start_dynamic(Letter) -> start_child(list_to_atom(lists:concat(['top/', Letter])), prompt, fun worker_start_link/2).

%% A start as the next fault wants it; runs in the supervisor.
start_child(Path, Work, Starter) ->
    Count = ets:update_counter(stage, {starts, Path}, 1, {{starts, Path}, 0}),
    Tag = list_to_atom(lists:concat([Path, '#', Count])),
    Kind = case Work of #{} -> supervisor; _ -> worker end,
    Fault = fault(Path),
    case Fault of
        none -> ok;
        ignore -> note(['~', Tag]);
        _ -> note(['!', Tag])
    end,
    case attempt(Fault, Kind, Path, Tag, Work, Starter) of
        {ok, Pid} ->
            ets:insert(stage, [{{pid, Tag}, Pid}, {{latest, Path}, Pid}, {{tag, Pid}, Tag}, {{kind, Tag}, Kind}]),
            {ok, Pid};
        Other ->
            Other
    end.

attempt(taken, _, _, _, _, _) -> {error, {already_started, spawn(fun() -> ok end)}};
attempt(fail, supervisor, _, _, _, _) -> {error, told_to_fail};
attempt(die, supervisor, _, _, _, _) -> error(told_to_die);
attempt(ignore, supervisor, _, _, _, _) -> ignore;
attempt(_, supervisor, Path, Tag, Flags, Starter) -> Starter(?MODULE, {supervisor, Path, Tag, Flags});
attempt(Fault, worker, _, Tag, _, Starter) -> Starter(?MODULE, {worker, Tag, Fault}).

fault(Path) ->
    case ets:lookup(stage, {faults, Path}) of
        [{_, [Fault | Later]}] ->
            ets:insert(stage, {{faults, Path}, Later}),
            Fault;
        _ ->
            none
    end.

init({supervisor, Path, Tag, Flags}) ->
    [watch(Tag, supervisor) || not ets:member(stage, {tag, self()})],
    case ets:lookup(stage, {flags, self()}) of
        [{_, Other}] -> design(Path, Other);
        [] -> design(Path, Flags)
    end;
init({worker, _, fail}) ->
    {stop, told_to_fail};
init({worker, _, die}) ->
    error(told_to_die);
init({worker, _, ignore}) ->
    ignore;
init({worker, Tag, none}) ->
    watch(Tag, worker),
    note(['+', Tag]),
    {ok, Tag}.

%% No time passes on the other side, so no restart is ever too old to count.
design(Path, #{strategy := Strategy, intensity := Intensity, autoShutdown := AutoShutdown, children := Children}) ->
    Flags = #{strategy => Strategy, intensity => Intensity, period => 86400, auto_shutdown => AutoShutdown},
    {ok, {Flags, [child_spec(Path, Child) || Child <- Children]}};
design(_, Template = #{intensity := Intensity}) ->
    ets:insert(stage, {{dynamic, self()}}),
    Options = maps:with([restart, shutdown, type], Template),
    Child = Options#{id => template, start => {?MODULE, start_dynamic, []}},
    {ok, {#{strategy => simple_one_for_one, intensity => Intensity, period => 86400}, [Child]}}.

handle_call(_, _, State) -> {noreply, State}.
handle_cast(_, State) -> {noreply, State}.
handle_info({leave, crash}, _) -> error(boom);
handle_info({leave, Reason}, State) -> {stop, own(Reason), State};
handle_info(_, State) -> {noreply, State}.
terminate(_, _) -> ok.
code_change(_, State, _) -> {ok, State}.
