/**
 * @since 0.1.0
 */
export * as CallError from "./CallError.js"
export * as ChildError from "./ChildError.js"
export * as ChildSpec from "./ChildSpec.js"
export * as Client from "./Client.js"
export * as DynamicSupervisor from "./DynamicSupervisor.js"
export * as ExitReason from "./ExitReason.js"
export * as GenServer from "./GenServer.js"
export * as Observer from "./Observer.js"
export * as Process from "./Process.js"
export * as Report from "./Report.js"
export * as Request from "./Request.js"
export * as ServiceHandle from "./ServiceHandle.js"
export * as StartError from "./StartError.js"
export * as Supervisor from "./Supervisor.js"
export * as Sys from "./Sys.js"
export * as Timer from "./Timer.js"
